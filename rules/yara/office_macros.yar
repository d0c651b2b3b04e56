// Office documents that act by themselves. Macros are unpacked before these rules see them.

rule office_macro_runs_at_opening
{
    meta:
        title = "Macro que se ejecuta al abrir y lanza programas"
        description = "Una macro con arranque automático crea procesos, descarga archivos o escribe programas."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1204.002"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Plantillas de oficina que abren otra aplicación al iniciar"
    strings:
        $vba = "Attribute VB_" nocase
        $auto = /\bSub\s{1,4}(Auto_?Open|Auto_?Exec|Auto_?Close|Document_?Open|Document_?Close|Workbook_?Open|Workbook_?Activate)\b/ nocase
        $run1 = "WScript.Shell" nocase
        $run2 = "Win32_Process" nocase
        $run3 = /\bShell\s{0,2}\(?\s{0,2}["a-z]/ nocase
        $run4 = "Shell.Application" nocase
        $run5 = "ShellExecute" nocase
        $run6 = "VirtualAlloc" nocase
        $get1 = "URLDownloadToFile" nocase
        $get2 = "XMLHTTP" nocase
        $get3 = "WinHttpRequest" nocase
        $get4 = "ADODB.Stream" nocase
        $get5 = "powershell" nocase
        $get6 = "mshta" nocase
        $get7 = "certutil" nocase
        $get8 = /Environ\s{0,2}\(\s{0,2}"(temp|appdata|public)"/ nocase
        $get9 = "regsvr32" nocase
    condition:
        $vba and $auto and any of ($run*) and any of ($get*)
}

rule office_macro_hidden_text
{
    meta:
        title = "Macro que esconde sus textos"
        description = "Una macro con arranque automático arma sus textos carácter por carácter o los guarda invertidos."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1027"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Macros protegidas por su autor"
    strings:
        $vba = "Attribute VB_" nocase
        $auto = /\bSub\s{1,4}(Auto_?Open|Auto_?Exec|Document_?Open|Workbook_?Open)\b/ nocase
        $chr = /\bChrW?\$?\s{0,2}\(\s{0,2}[0-9&(]/ nocase
        $reverse = "StrReverse" nocase
        $xor = /\bXor\s{1,4}[0-9a-z&]/ nocase
        $object = /\b(CreateObject|GetObject|CallByName)\s{0,2}\(/ nocase
    condition:
        $vba and $auto and $object and (#chr > 15 or $reverse or $xor)
}

rule office_remote_template
{
    meta:
        title = "Documento que carga una plantilla remota"
        description = "El documento toma su plantilla, o un objeto, de una dirección de la red: la macro llega al abrirlo."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1221"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Plantillas institucionales publicadas en la intranet"
    strings:
        $relations = "/package/2006/relationships" nocase
        $template = /relationships\/(attachedTemplate|frame|subDocument|oleObject)"[^>]{0,200}Target\s{0,2}=\s{0,2}"(mhtml:)?https?:/ nocase
        $before = /Target\s{0,2}=\s{0,2}"(mhtml:)?https?:[^>]{1,400}relationships\/(attachedTemplate|frame|subDocument|oleObject)"/ nocase
    condition:
        filesize < 1MB and $relations and any of ($template, $before)
}

rule office_dde_command
{
    meta:
        title = "Documento con un campo DDE que lanza una orden"
        description = "Un campo DDE del documento, o una celda, ejecuta un programa al actualizarse."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1559.002"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Hojas antiguas que toman datos de otro programa"
    strings:
        $field = /\bDDE(AUTO)?\s{1,4}("|&quot;)?[^<>\n]{0,60}(cmd|powershell|mshta|wscript|cscript|rundll32)/ nocase
        $cell = /[=+@-]\s{0,2}(cmd|powershell|mshta|rundll32)\s{0,2}\|\s{0,2}['"\/-][^\n]{1,200}![A-Za-z0-9]/ nocase
    condition:
        any of them
}

rule rtf_equation_object
{
    meta:
        title = "RTF con un objeto del editor de ecuaciones"
        description = "El documento RTF trae un objeto del antiguo editor de ecuaciones, vía repetida de explotación."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1203"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Documentos anteriores a 2010 con ecuaciones"
    strings:
        $object = "\\objdata" nocase
        $name = "4571756174696f6e2e33" nocase  // the class name, as RTF writes bytes
        $class = "02ce020000000000c000000000000046" nocase  // the same as an identifier
        $update = "\\objupdate" nocase
    condition:
        uint32be(0) == 0x7B5C7274 and $object and (any of ($name, $class)) and filesize < 20MB
        or (uint32be(0) == 0x7B5C7274 and $object and $update and $name)
}
