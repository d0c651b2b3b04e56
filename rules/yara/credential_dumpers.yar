// Tools that take passwords and hashes out of a machine, and what they leave.

rule credential_dumper_commands
{
    meta:
        title = "Órdenes de un volcador de credenciales"
        description = "Aparecen órdenes propias de las herramientas que sacan claves de la memoria o de la base de cuentas de Windows."
        author = "CGII"
        date = "2026-11-22"
        level = "critical"
        attack = "T1003.001"
        rsit = "intrusions.privileged-account-compromise"
        false_positives = "Informes técnicos y reglas de detección que las nombran"
    strings:
        $module1 = "sekurlsa::" ascii wide nocase
        $module2 = "lsadump::" ascii wide nocase
        $module3 = "kerberos::golden" ascii wide nocase
        $module4 = "privilege::debug" ascii wide nocase
        $module5 = "dpapi::" ascii wide nocase
        $dump1 = /comsvcs(\.dll)?["']?\s{0,2},?\s{0,4}(MiniDump|#\+?0{0,4}24)/ ascii wide nocase
        $dump2 = /procdump(64)?(\.exe)?\s[^\n]{0,60}lsass/ ascii wide nocase
        $dump3 = /reg(\.exe)?\s{1,4}save\s{1,4}"?hk(lm|ey_local_machine)\\(sam|security|system)\b/ ascii wide nocase
        $dump4 = /ntdsutil[^\n]{0,80}\bifm\b/ ascii wide nocase
    condition:
        filesize < 50MB and (2 of ($module*) or any of ($dump*))
}

rule credential_dumper_program
{
    meta:
        title = "Programa que vuelca la memoria de LSASS"
        description = "Un ejecutable de Windows nombra el proceso de credenciales y las funciones con que se copia su memoria."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1003.001"
        rsit = "intrusions.privileged-account-compromise"
        false_positives = "Herramientas de diagnóstico de Microsoft"
    strings:
        $target = "lsass" ascii wide nocase
        $dump1 = "MiniDumpWriteDump" ascii wide
        $dump2 = "PssCaptureSnapshot" ascii wide
        $right = "SeDebugPrivilege" ascii wide
        $open = "OpenProcess" ascii wide
        $list1 = "CreateToolhelp32Snapshot" ascii wide
        $list2 = "NtQuerySystemInformation" ascii wide
    condition:
        uint16(0) == 0x5A4D and filesize < 20MB and $target and any of ($dump*) and $right
        and any of ($open, $list1, $list2)
}

rule credential_dump_result
{
    meta:
        title = "Lista de huellas de contraseñas"
        description = "El archivo trae huellas de cuentas de Windows o de Linux, como las deja un volcado."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1003"
        rsit = "information-content-security.unauthorised-information-access"
        false_positives = "Respaldos de archivos de cuentas, que también deben protegerse"
    strings:
        $windows = /\n?[A-Za-z0-9._$\\-]{2,40}:[0-9]{3,6}:[0-9a-f]{32}:[0-9a-f]{32}:::/ nocase
        $linux = /\n?[a-z_][a-z0-9_-]{0,31}:\$(1|5|6|y|2[aby])\$[A-Za-z0-9.\/$]{20,120}:[0-9]{4,6}:[0-9]{1,3}:/
    condition:
        filesize < 100MB and (#windows > 1 or #linux > 1)
}
