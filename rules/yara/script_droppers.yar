// Scripts that Windows runs with a double click and that bring something worse.

rule script_downloads_and_runs
{
    meta:
        title = "Guion de Windows que descarga y ejecuta"
        description = "Un guion JS, VBS o WSF baja un archivo, lo guarda en el disco y lo lanza."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1059.005"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Guiones antiguos de actualización en redes de dominio"
    strings:
        $object = /(new\s{1,4}ActiveXObject|CreateObject)\s{0,2}\(/ ascii wide nocase
        $get1 = /(MSXML2\.(Server)?XMLHTTP|Microsoft\.XMLHTTP|WinHttp\.WinHttpRequest)/ ascii wide nocase
        $save1 = "ADODB.Stream" ascii wide nocase
        $save2 = "SaveToFile" ascii wide nocase
        $run1 = "WScript.Shell" ascii wide nocase
        $run2 = "Shell.Application" ascii wide nocase
        $bits = "bitsadmin" ascii wide nocase
        $certutil = /certutil(\.exe)?\s[^\n]{0,60}-urlcache/ ascii wide nocase
    condition:
        filesize < 5MB and $object
        and (($get1 and any of ($save*) and any of ($run*)) or (any of ($run*) and any of ($bits, $certutil)))
}

rule hta_runs_commands
{
    meta:
        title = "Aplicación HTA que lanza órdenes"
        description = "Una página HTA, que corre con los permisos de la persona, crea un intérprete de órdenes."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1218.005"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Herramientas internas escritas como HTA"
    strings:
        $hta = "<hta:application" ascii wide nocase
        $script = /<script[^>]{0,80}(vbscript|jscript)/ ascii wide nocase
        $shell = /(CreateObject|ActiveXObject)\s{0,2}\(\s{0,2}["'](WScript\.Shell|Shell\.Application)/ ascii wide nocase
        $run = /(powershell|cmd(\.exe)?\s{1,2}\/c|rundll32|regsvr32|bitsadmin|certutil)/ ascii wide nocase
        $hide = /window\.(close|resizeTo\s{0,2}\(\s{0,2}0|moveTo\s{0,2}\(\s{0,2}-)/ ascii wide nocase
    condition:
        filesize < 5MB and any of ($hta, $script) and $shell and $run
        and ($hta or $hide or extension == ".hta")
}

rule script_rebuilds_its_code
{
    meta:
        title = "Guion que se reconstruye y se evalúa"
        description = "Un guion de Windows arma su código con números o nombres sin sentido y luego lo evalúa."
        author = "CGII"
        date = "2026-11-22"
        level = "medium"
        attack = "T1027"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Bibliotecas comprimidas que también corren en el navegador"
    strings:
        $host = /\b(ActiveXObject|WScript\.(CreateObject|Shell|Echo|Sleep|Quit)|CreateObject)\b/ ascii wide nocase
        $names = /\b_0x[0-9a-f]{4,6}\b/ ascii wide nocase
        $codes = /String\.fromCharCode\s{0,2}\(/ ascii wide nocase
        $chr = /\bChrW?\s{0,2}\(\s{0,2}[0-9&(]/ ascii wide nocase
        $eval = /\b(eval|ExecuteGlobal|Execute)\s{0,2}\(/ ascii wide nocase
    condition:
        filesize < 5MB and $host and ((#names > 20 and ($eval or #codes > 0)) or ($eval and (#codes > 10 or #chr > 30)))
}
