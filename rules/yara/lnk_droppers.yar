// Windows shortcuts that run something else than what their icon says.

rule lnk_runs_an_interpreter
{
    meta:
        title = "Acceso directo que lanza un intérprete"
        description = "Un acceso directo de Windows ejecuta PowerShell, mshta u otro intérprete con órdenes ocultas o de la red."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1204.002"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Accesos directos de administración"
    strings:
        $program = /(powershell|mshta|wscript|cscript|rundll32|regsvr32|certutil|bitsadmin|msiexec|cmd(\.exe)?[^\x00]{0,4}\/c)/ ascii wide nocase
        $how1 = /https?:\/\// ascii wide nocase
        $how2 = /-e(nc|c|ncodedcommand)?\s{1,4}[A-Za-z0-9+\/]{40}/ ascii wide nocase
        $how3 = /-w(in|indowstyle)?\s{1,4}(hidden|1)\b/ ascii wide nocase
        $how4 = /(iex|invoke-expression|frombase64string|downloadstring)/ ascii wide nocase
        $how5 = /\\\\[a-z0-9.-]{3,60}(@(ssl|[0-9]{2,5}))?\\(davwwwroot|webdav)/ ascii wide nocase
        $how6 = /findstr|more\s{1,2}\+[0-9]{1,3}/ ascii wide nocase
    condition:
        uint32be(0) == 0x4C000000 and uint32be(4) == 0x01140200 and filesize < 5MB
        and $program and any of ($how*)
}

rule lnk_carries_a_payload
{
    meta:
        title = "Acceso directo con algo agregado"
        description = "El acceso directo es demasiado grande: lleva pegado un documento, un archivo comprimido o un programa."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1027.012"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Ninguno conocido"
    strings:
        $zip = { 50 4B 03 04 14 00 }
        $pdf = "%PDF-1."
        $program = "This program cannot be run in DOS mode"
        $cab = "MSCF\x00\x00\x00\x00"
        $hta = "<hta:application" nocase
    condition:
        uint32be(0) == 0x4C000000 and uint32be(4) == 0x01140200 and filesize > 6KB and any of them
}
