// Pages that ask for passwords in the name of the State, and the programs behind them.

rule phishing_page_of_the_state
{
    meta:
        title = "Página que pide claves a nombre del Estado"
        description = "Una página con los nombres del Estado pide una contraseña y la envía fuera de los dominios gob.bo."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1566.002"
        rsit = "fraud.phishing"
        false_positives = "Sistemas de una entidad alojados fuera de gob.bo"
    strings:
        $secret = /<input[^>]{0,200}type\s{0,2}=\s{0,2}["']?password/ nocase
        $name1 = "Estado Plurinacional de Bolivia" nocase
        $name2 = /Ciudadan(.{1,2}|&iacute;)a Digital/ nocase
        $name3 = "Impuestos Nacionales" nocase
        $name4 = "SEGIP"
        $name5 = /Banco Uni(.{1,2}|&oacute;)n/ nocase
        $name6 = "Ministerio de" nocase
        $name7 = "Aduana Nacional" nocase
        $name8 = /Gestora P(.{1,2}|&uacute;)blica/ nocase
        $outside = /<form[^>]{0,300}action\s{0,2}=\s{0,2}["']?(https?:)?\/\/[a-z0-9.-]{3,100}/ nocase
        $inside = /<form[^>]{0,300}action\s{0,2}=\s{0,2}["']?(https?:)?\/\/([a-z0-9-]{1,60}\.){1,6}(gob|gov|mil|edu)\.bo[\/"':? >]/ nocase
        $sent1 = "api.telegram.org/bot" nocase
        $sent2 = /formspree\.io|formsubmit\.co|discord(app)?\.com\/api\/webhooks/ nocase
    condition:
        filesize < 3MB and $secret and any of ($name*)
        and (($outside and not $inside) or any of ($sent*))
}

rule phishing_collector
{
    meta:
        title = "Programa que junta claves robadas"
        description = "Un guion PHP toma usuario y contraseña de un formulario y los envía por correo, a Telegram o a un archivo, con la dirección de la víctima."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1056.003"
        rsit = "fraud.phishing"
        false_positives = "Formularios de contacto que piden una clave por error"
    strings:
        $open = "<?"
        $secret = /\$_(POST|REQUEST)\s{0,2}\[\s{0,2}["'](pass\w{0,10}|pwd|clave|contrase\w{0,8}|pin|token|otp)["']/ nocase
        $from1 = "REMOTE_ADDR"
        $from2 = "HTTP_USER_AGENT"
        $from3 = /geoplugin|ip-api\.com|ipinfo\.io/ nocase
        $out1 = /\bmail\s{0,2}\(\s{0,2}\$/ nocase
        $out2 = "api.telegram.org" nocase
        $out3 = /(fopen|file_put_contents)\s{0,2}\([^;]{0,80}\.(txt|log|html?|dat)["']/ nocase
        $away = /header\s{0,2}\(\s{0,2}["']\s{0,2}Location\s{0,2}:/ nocase
    condition:
        filesize < 1MB and $open and $secret and any of ($from*) and any of ($out*) and $away
}
