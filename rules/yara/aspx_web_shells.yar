// ASP and ASP.NET pages that run what a visitor sends.

rule aspx_shell_runs_commands
{
    meta:
        title = "Web shell en ASPX que ejecuta órdenes"
        description = "Una página ASP.NET crea un proceso, normalmente cmd.exe o PowerShell, con un valor de la petición."
        author = "CGII"
        date = "2026-11-22"
        level = "critical"
        attack = "T1505.003"
        rsit = "intrusions.application-compromise"
        false_positives = "Herramientas internas que convierten archivos con un programa externo"
    strings:
        $page = /<%@\s{0,4}(Page|WebHandler|WebService)/ nocase
        $start1 = "ProcessStartInfo" nocase
        $start2 = "Process.Start" nocase
        $sent = /Request\s{0,2}(\[|\.\s{0,2}(Form|QueryString|Params|Headers|Cookies|Item)\b)/ nocase
        $shell1 = "cmd.exe" nocase
        $shell2 = "powershell" nocase
        $shell3 = "/bin/sh"
    condition:
        filesize < 2MB and $page and any of ($start*) and $sent and any of ($shell*)
}

rule asp_shell_evaluates_what_is_sent
{
    meta:
        title = "Web shell de una línea en ASP o ASPX"
        description = "La página evalúa como código un valor que llega en la petición."
        author = "CGII"
        date = "2026-11-22"
        level = "critical"
        attack = "T1505.003"
        rsit = "intrusions.application-compromise"
        false_positives = "Ninguno conocido"
    strings:
        $page = "<%"
        $script = /<script[^>]{0,80}runat\s{0,2}=\s{0,2}.?server/ nocase
        $eval = /\b(eval|execute|executeglobal)\s{0,4}\(?\s{0,4}(Request\b|System\.Text\.Encoding[^;]{1,120}Request\b)/ nocase
        $unsafe = /eval\s{0,4}\([^;]{1,160},\s{0,4}.unsafe.\s{0,4}\)/ nocase
    condition:
        filesize < 2MB and any of ($page, $script) and any of ($eval, $unsafe)
}

rule aspx_shell_loads_assemblies
{
    meta:
        title = "Web shell en ASPX que carga ensamblados enviados"
        description = "La página carga en memoria un ensamblado de .NET que llega en la petición, cifrado o en Base64."
        author = "CGII"
        date = "2026-11-22"
        level = "critical"
        attack = "T1505.003"
        rsit = "intrusions.application-compromise"
        false_positives = "Ninguno conocido"
    strings:
        $page = /<%@\s{0,4}(Page|WebHandler|WebService)/ nocase
        $load = /Assembly"?\)?\s{0,4}\.\s{0,4}(GetMethod\s{0,2}\(\s{0,2}"Load"|Load\s{0,2}\()/ nocase
        $sent = /Request\s{0,2}(\[|\.\s{0,2}(Form|QueryString|Params|BinaryRead|InputStream|Headers|Cookies)\b)/ nocase
        $decode1 = "FromBase64String" nocase
        $decode2 = "RijndaelManaged" nocase
        $decode3 = "CreateDecryptor" nocase
    condition:
        filesize < 2MB and $page and $load and $sent and any of ($decode*)
}
