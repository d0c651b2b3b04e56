// Windows programs that hide what they are.

import "pe"
import "math"

rule pe_packed_with_upx
{
    meta:
        title = "Ejecutable comprimido con UPX"
        description = "El programa está comprimido con UPX, que también usan los programas maliciosos para no ser reconocidos."
        author = "CGII"
        date = "2026-11-22"
        level = "low"
        attack = "T1027.002"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Programas legítimos que se distribuyen comprimidos"
    strings:
        $section1 = "UPX0"
        $section2 = "UPX1"
        $mark = "UPX!"
    condition:
        uint16(0) == 0x5A4D and all of them and $section1 in (0..4096) and $section2 in (0..4096)
}

rule pe_packed_code
{
    meta:
        title = "Ejecutable cifrado o empaquetado"
        description = "El código del programa parece azar y casi no declara funciones de Windows: se descifra al ejecutarse."
        author = "CGII"
        date = "2026-11-22"
        level = "medium"
        attack = "T1027.002"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Instaladores y programas protegidos contra copia"
    condition:
        pe.is_pe and filesize < 30MB and pe.number_of_imported_functions < 15
        and for any section in pe.sections : (
            section.raw_data_size > 4096
            and section.characteristics & pe.SECTION_MEM_EXECUTE != 0
            and math.entropy(section.raw_data_offset, section.raw_data_size) > 7.3
        )
}

rule pe_double_extension
{
    meta:
        title = "Ejecutable que se hace pasar por documento"
        description = "Un programa de Windows lleva nombre de documento o imagen, con dos extensiones o con signos que invierten el texto."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1036.007"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Ninguno conocido"
    condition:
        uint16(0) == 0x5A4D and uint32(uint32(0x3C)) == 0x00004550
        and (filename matches /\.(pdf|docx?|xlsx?|pptx?|odt|jpe?g|png|txt|zip|rar)\s{0,80}\.(exe|scr|com|pif|cpl)$/i
            or filename matches /\xE2\x80\xAE/
            or extension matches /^\.(pdf|docx?|xlsx?|pptx?|odt|jpe?g|png|gif|txt|csv|mp4)$/i)
}

rule pe_injects_into_others
{
    meta:
        title = "Ejecutable que escribe en otros procesos"
        description = "El programa nombra juntas las funciones con que se mete código en un proceso ajeno."
        author = "CGII"
        date = "2026-11-22"
        level = "medium"
        attack = "T1055"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Depuradores, lectores de pantalla y programas de protección"
    strings:
        $memory1 = "VirtualAllocEx"
        $memory2 = "NtAllocateVirtualMemory"
        $memory3 = "NtMapViewOfSection"
        $write1 = "WriteProcessMemory"
        $write2 = "NtWriteVirtualMemory"
        $run1 = "CreateRemoteThread"
        $run2 = "QueueUserAPC"
        $run3 = "SetThreadContext"
        $run4 = "NtUnmapViewOfSection"
        $run5 = "RtlCreateUserThread"
    condition:
        uint16(0) == 0x5A4D and filesize < 20MB
        and any of ($memory*) and any of ($write*) and any of ($run*)
}

rule pe_inside_text
{
    meta:
        title = "Ejecutable escrito como texto"
        description = "Un guion o documento lleva dentro un programa de Windows en Base64 o en hexadecimal."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1027.009"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Correos con programas adjuntos"
    strings:
        $base64 = /TV(qQAAMAAAAEAAAA|oAAAAAAAAAAAAA|pQAAIAAAAEAA8A|roAAAAAAAAAAAA)[A-Za-z0-9+\/]{40}/ ascii wide
        $backwards = "AAAAEAAAAMAAQqVT" ascii wide
        $digits = /4d5a9000030000000400[0-9a-f]{40}/ ascii wide nocase
        $bytes = /0x4d\s{0,2},\s{0,2}0x5a\s{0,2},\s{0,2}0x90\s{0,2},\s{0,2}0x00\s{0,2},\s{0,2}0x03/ ascii wide nocase
    condition:
        uint16(0) != 0x5A4D and filesize < 50MB and any of them
}
