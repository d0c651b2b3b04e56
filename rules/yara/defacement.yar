// A page that says it was taken.

rule defaced_page
{
    meta:
        title = "Página alterada por un atacante"
        description = "La página proclama que el sitio fue tomado, con la firma de quien lo hizo."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1491.002"
        rsit = "information-content-security.unauthorised-information-modification"
        false_positives = "Noticias que citan el texto de una alteración"
    strings:
        $page = /<(html|title|body|center|marquee)\b/ nocase
        $title = /<title>[^<]{0,80}(hack|h4ck|deface|own|pwn)(ed|eado|3d)?\s{1,3}(by|por)\b/ nocase
        $sign1 = /(hacked|h4cked|hack3d|defaced|pwned|0wned|stamped)\s{1,3}by\s{1,3}[^<\n]{2,60}/ nocase
        $sign2 = /(hackeado|hackeada|vulnerado|tomado|intervenido)\s{1,3}por\s{1,3}[^<\n]{2,60}/ nocase
        $boast1 = /greet[sz]|gr33tz|we are legion|expect us|somos legi/ nocase
        $boast2 = /(security|cyber|hack(er|ing)?)\s{1,2}(team|army|crew)/ nocase
        $boast3 = /your (security|site|website|server) (is|was|has been) (low|weak|bad|hacked|down)/ nocase
        $boast4 = /zone-?h\.org|mirror-h\.org|haxor\.id/ nocase
        $boast5 = /su seguridad (es|fue|est)|sistema (vulnerado|comprometido)/ nocase
        $boast6 = /#op[a-z]{4,20}/ nocase
    condition:
        filesize < 1MB and $page and ($title or (any of ($sign*) and any of ($boast*)))
}
