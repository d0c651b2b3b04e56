// The letters that ransomware leaves behind.

rule ransom_note_spanish
{
    meta:
        title = "Nota de rescate en español"
        description = "El texto dice que los archivos fueron cifrados y explica cómo pagar o contactar a quien lo hizo."
        author = "CGII"
        date = "2026-11-22"
        level = "critical"
        attack = "T1486"
        rsit = "availability.sabotage"
        false_positives = "Comunicados y material de difusión sobre ransomware"
    strings:
        $claim1 = /(sus|tus|todos los|los) (archivos|datos|documentos|servidores)( importantes)? (han sido|fueron|est[^ ]{1,2}n|se encuentran) (cifrados|encriptados|bloqueados|secuestrados)/ ascii wide nocase
        $claim2 = /(hemos|fueron) (cifrado|encriptado|robado|extra[^ ]{1,2}do|descargado) (todos )?(sus|tus|los) (archivos|datos|documentos)/ ascii wide nocase
        $way1 = /bitcoins?\b|\bBTC\b|monero|\bXMR\b|criptomoneda/ ascii wide nocase
        $way2 = /\.onion\b|\bTOR browser|navegador tor\b/ ascii wide nocase
        $way3 = /(clave|llave|herramienta|programa) (privada|de descifrado|de desencriptaci|para descifrar)/ ascii wide nocase
        $way4 = /no (intente|intentes|trate|renombre|modifique|apague)[^\n]{0,60}(archivos|descifrar|recuperar|equipo)/ ascii wide nocase
        $way5 = /(publicaremos|filtraremos|venderemos|ser[^ ]{1,2}n publicad)/ ascii wide nocase
        $way6 = /@(proton(mail)?\.(com|me)|tutanota\.com|tuta\.io|onionmail\.org|cock\.li)/ ascii wide nocase
    condition:
        filesize < 500KB and any of ($claim*) and 2 of ($way*)
}

rule ransom_note_english
{
    meta:
        title = "Nota de rescate en inglés"
        description = "El texto dice que los archivos fueron cifrados y explica cómo pagar o contactar a quien lo hizo."
        author = "CGII"
        date = "2026-11-22"
        level = "critical"
        attack = "T1486"
        rsit = "availability.sabotage"
        false_positives = "Informes y material de difusión sobre ransomware"
    strings:
        $claim1 = /(your|all( of)? your|important) (files|data|documents|network|servers)( (on|in) [a-z ]{1,30})? (have been|has been|are|were|is) (encrypted|locked|stolen|exfiltrated)/ ascii wide nocase
        $claim2 = /we (have )?(encrypted|stolen|downloaded|exfiltrated) (all )?(of )?(your )/ ascii wide nocase
        $way1 = /bitcoins?\b|\bBTC\b|monero|\bXMR\b/ ascii wide nocase
        $way2 = /\.onion\b|\bTOR browser/ ascii wide nocase
        $way3 = /(private|decryption|unique) key|decrypt(or|ion tool)/ ascii wide nocase
        $way4 = /(do not|don't) (rename|modify|try to|turn off|contact)[^\n]{0,60}(files|decrypt|recover|police)/ ascii wide nocase
        $way5 = /(will be|we will) (published?|leak(ed)?|sell|sold)/ ascii wide nocase
        $way6 = /@(proton(mail)?\.(com|me)|tutanota\.com|tuta\.io|onionmail\.org|cock\.li)/ ascii wide nocase
    condition:
        filesize < 500KB and any of ($claim*) and 2 of ($way*)
}
