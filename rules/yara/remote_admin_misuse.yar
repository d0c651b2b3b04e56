// Honest remote administration, installed quietly and by somebody else.

rule remote_access_installed_quietly
{
    meta:
        title = "Acceso remoto instalado sin avisar"
        description = "Un guion instala un programa de acceso remoto en silencio y le pone una contraseña fija."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1219"
        rsit = "intrusions.system-compromise"
        false_positives = "Despliegues de la unidad de sistemas"
    strings:
        $tool = /\b(anydesk|rustdesk|teamviewer|ultraviewer|screenconnect|splashtop|atera|meshagent|aeroadmin|supremo)\b/ ascii wide nocase
        $quiet = /--silent|\/S\b|\/qn\b|--install|\/VERYSILENT|-fullinstall/ ascii wide nocase
        $secret = /--set-password|--password\s|\bPASSWORD=|echo\s{1,2}\S{6,40}\s{0,2}\|\s{0,2}["']?[^\n]{0,80}anydesk/ ascii wide nocase
        $script = /(@echo off|powershell|cmd(\.exe)?\s{1,2}\/c|#!\/bin\/|Start-Process|msiexec)/ ascii wide nocase
    condition:
        filesize < 2MB and $tool and $quiet and $secret and $script
}

rule remote_desktop_opened
{
    meta:
        title = "Guion que abre el escritorio remoto"
        description = "El guion activa el escritorio remoto y crea una cuenta o abre el cortafuegos para usarlo."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1021.001"
        rsit = "intrusions.system-compromise"
        false_positives = "Guiones de preparación de servidores"
    strings:
        $rdp = /fDenyTSConnections[^\n]{0,80}(\/d\s{1,2}0\b|-Value\s{1,2}0\b|0x0)/ ascii wide nocase
        $user = /net1?(\.exe)?\s{1,2}user\s{1,2}[^\n]{1,80}\/add/ ascii wide nocase
        $group = /net1?(\.exe)?\s{1,2}localgroup\s{1,2}[^\n]{1,80}\/add/ ascii wide nocase
        $wall = /(netsh\s[^\n]{0,120}(3389|remote desktop|escritorio remoto)|Enable-NetFirewallRule[^\n]{0,80}Remote)/ ascii wide nocase
        $hide = /SpecialAccounts\\UserList/ ascii wide nocase
    condition:
        filesize < 2MB and $rdp and any of ($user, $group, $wall, $hide)
}

rule tunnel_to_the_inside
{
    meta:
        title = "Túnel hacia la red interna"
        description = "Una orden o configuración publica en Internet un puerto interno por medio de un túnel."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1572"
        rsit = "intrusions.system-compromise"
        false_positives = "Túneles que la unidad de sistemas registró"
    strings:
        $ngrok = /ngrok(\.exe)?["']?\s{1,4}(tcp|http|start|authtoken|config add-authtoken)\b/ ascii wide nocase
        $plink = /(plink|ssh)(\.exe)?\s[^\n]{0,160}-R\s{0,2}[^\n]{0,40}:(3389|22|445|5985|1433|5900)\b/ ascii wide nocase
        $chisel = /chisel(\.exe)?\s{1,4}client\s[^\n]{0,120}R:/ ascii wide nocase
        $frp1 = /server_?addr\s{0,2}=/ nocase
        $frp2 = /server_?port\s{0,2}=/ nocase
        $frp3 = /local_?port\s{0,2}=\s{0,2}(3389|22|445|5985|1433|5900)\b/ nocase
        $cloud = /cloudflared(\.exe)?\s[^\n]{0,60}tunnel\s[^\n]{0,80}(--url|run --token|--token)/ ascii wide nocase
    condition:
        filesize < 2MB and (any of ($ngrok, $plink, $chisel, $cloud) or all of ($frp*))
}
