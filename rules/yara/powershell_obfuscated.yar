// PowerShell that hides what it does, or fetches it from elsewhere and runs it.

rule powershell_runs_what_it_downloads
{
    meta:
        title = "PowerShell que descarga y ejecuta"
        description = "Una orden de PowerShell baja código de la red y lo ejecuta sin guardarlo."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1059.001"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Instaladores de herramientas de desarrollo"
    strings:
        $run = /\b(iex|invoke-expression)\b/ ascii wide nocase
        $fetch1 = /\.\s{0,2}Download(String|Data)\s{0,2}\(/ ascii wide nocase
        $fetch2 = /(Invoke-WebRequest|Invoke-RestMethod|\biwr|\birm)\s{1,4}[^|;\n]{0,40}https?:/ ascii wide nocase
        $fetch3 = "gnirtSdaolnwoD" ascii wide nocase
    condition:
        filesize < 10MB and (($run and any of ($fetch1, $fetch2)) or $fetch3)
}

rule powershell_encoded_command
{
    meta:
        title = "PowerShell con una orden codificada"
        description = "PowerShell recibe su orden en Base64, muchas veces con la ventana oculta y sin perfil."
        author = "CGII"
        date = "2026-11-22"
        level = "medium"
        attack = "T1027.010"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Programas de inventario y de gestión que codifican sus órdenes"
    strings:
        $command = /(powershell|pwsh)(\.exe)?["']?\s[^\n]{0,200}-e(c|nc|ncodedcommand)?\s{1,4}["']?[A-Za-z0-9+\/]{60}/ ascii wide nocase
        $hidden = /-w(in|indowstyle)?\s{1,4}(hidden|1)\b/ ascii wide nocase
        $profile = /-nop(rofile)?\b/ ascii wide nocase
        $policy = /-e(p|xec|xecutionpolicy)\s{1,4}bypass/ ascii wide nocase
    condition:
        filesize < 10MB and $command and any of ($hidden, $profile, $policy)
}

rule powershell_turns_off_amsi
{
    meta:
        title = "PowerShell que desactiva AMSI"
        description = "El código busca apagar la revisión de guiones que hace el antivirus de Windows."
        author = "CGII"
        date = "2026-11-22"
        level = "critical"
        attack = "T1562.001"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Pruebas de intrusión autorizadas"
    strings:
        $class = /Amsi("|'\s{0,2}\+\s{0,2}'|"\s{0,2}\+\s{0,2}")?Utils/ ascii wide nocase
        $field = /amsi(Init)?("|'\s{0,2}\+\s{0,2}'|"\s{0,2}\+\s{0,2}")?(Failed|Context)/ ascii wide nocase
        $patch1 = "AmsiScanBuffer" ascii wide nocase
        $patch2 = "VirtualProtect" ascii wide nocase
        $patch3 = "GetProcAddress" ascii wide nocase
        $script = /\[Ref\]|\[Runtime\.InteropServices|Add-Type|DllImport/ ascii wide nocase
    condition:
        filesize < 10MB and (($class and $field) or ($patch1 and $patch2 and $patch3 and $script))
}

rule powershell_builds_its_code
{
    meta:
        title = "PowerShell que arma su código por pedazos"
        description = "Caracteres sueltos, comillas invertidas u operaciones de bits esconden lo que el guion ejecuta."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1027.010"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Guiones protegidos por su proveedor"
    strings:
        $chars = /\[char\]\s{0,2}\(?\s{0,2}(0x)?[0-9a-f]{2,3}/ ascii wide nocase
        $tick1 = "in`vo" ascii wide nocase
        $tick2 = "`exp" ascii wide nocase
        $tick3 = "ne`w-" ascii wide nocase
        $tick4 = "ob`je" ascii wide nocase
        $tick5 = "lo`ad" ascii wide nocase
        $tick6 = "st`ri" ascii wide nocase
        $format = /"(\{[0-9]{1,2}\}){5,40}"\s{0,4}-f\b/ ascii wide nocase
        $xor = "-bxor" ascii wide nocase
        $run1 = /\b(iex|invoke-expression)\b/ ascii wide nocase
        $run2 = /&\s{0,2}\(\s{0,2}\$(env|shellid|pshome|verbosepreference)/ ascii wide nocase
        $run3 = "[scriptblock]::create" ascii wide nocase
        $packed = /FromBase64String[^\n]{0,200}(GzipStream|DeflateStream)|(GzipStream|DeflateStream)[^\n]{0,200}FromBase64String/ ascii wide nocase
    condition:
        filesize < 10MB and any of ($run*)
        and (#chars > 8 or 2 of ($tick*) or $format or $xor or $packed)
}
