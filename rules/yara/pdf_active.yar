// PDF files that do something by themselves.

rule pdf_runs_a_program
{
    meta:
        title = "PDF que intenta lanzar un programa"
        description = "El PDF tiene una acción que abre un programa o un archivo adjunto ejecutable."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1204.002"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Ninguno conocido"
    strings:
        $pdf = "%PDF-"
        $launch = /\/S\s{0,4}\/Launch\b/
        $attached = /\/F\s{0,2}\(\s{0,2}[^)]{1,80}\.(exe|scr|js|vbs|hta|bat|cmd|ps1|jar|lnk|iso|img)\s{0,2}\)/ nocase
        $embedded = "/EmbeddedFile"
    condition:
        $pdf in (0..1024) and ($launch or ($embedded and $attached))
}

rule pdf_javascript_at_opening
{
    meta:
        title = "PDF con JavaScript que corre al abrirlo"
        description = "El PDF ejecuta JavaScript al abrirse, con funciones que descargan, exportan o esconden código."
        author = "CGII"
        date = "2026-11-22"
        level = "medium"
        attack = "T1059.007"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Formularios en PDF que validan sus campos"
    strings:
        $pdf = "%PDF-"
        $open = /\/(OpenAction|AA)\b/
        $script = /\/(JavaScript|JS)\b/
        $hidden = /\/J#61vaScript|\/#4a|\/Java#53cript|\/#4aavaScript/ nocase
        $do1 = "exportDataObject"
        $do2 = "launchURL"
        $do3 = /unescape\s{0,2}\(\s{0,2}["']%u/
        $do4 = "util.printf"
        $do5 = "Collab.getIcon"
        $do6 = "String.fromCharCode"
        $do7 = /\beval\s{0,2}\(/
        $do8 = "submitForm"
    condition:
        ($pdf in (0..1024) and $open and (($script and any of ($do*)) or $hidden))
        or (filepath matches /\.pdf\/flujos$/i and 2 of ($do*))
}
