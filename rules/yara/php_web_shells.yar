// PHP that lets whoever visits a page run commands on the server.

rule php_shell_runs_what_is_sent
{
    meta:
        title = "Web shell en PHP que ejecuta lo que recibe"
        description = "Un archivo PHP pasa a una función que ejecuta código u órdenes un valor que llega en la petición."
        author = "CGII"
        date = "2026-11-22"
        level = "critical"
        attack = "T1505.003"
        rsit = "intrusions.application-compromise"
        false_positives = "Material de capacitación sobre seguridad web"
    strings:
        $open = "<?"
        $run = /\b(eval|assert|system|exec|shell_exec|passthru|popen|proc_open)\s{0,8}\(\s{0,8}@?(\w{3,20}\(\s{0,4}){0,3}\$_(GET|POST|REQUEST|COOKIE|SERVER)\s{0,4}\[/ nocase
        $call = /\$_(GET|POST|REQUEST|COOKIE)\s{0,4}\[[^\]]{1,40}\]\s{0,4}\(\s{0,4}@?\$_(GET|POST|REQUEST|COOKIE)/
        $tick = /`\s{0,4}\{?\$_(GET|POST|REQUEST|COOKIE)\s{0,4}\[[^\]]{1,40}\]/
    condition:
        $open and any of ($run, $call, $tick)
}

rule php_shell_unpacks_itself
{
    meta:
        title = "PHP que se descomprime y se ejecuta"
        description = "El código está codificado o comprimido y se ejecuta al abrirlo, forma habitual de esconder un web shell."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1027"
        rsit = "intrusions.application-compromise"
        false_positives = "Complementos comerciales que protegen su código así"
    strings:
        $open = "<?"
        $run = /\b(eval|assert)\s{0,8}\(\s{0,8}@?(gzinflate|gzuncompress|gzdecode|str_rot13|strrev|convert_uudecode|base64_decode|hex2bin)\s{0,4}\(/ nocase
        $joined1 = "'.'"
        $joined2 = "\".\""
        $decode = "base64_decode" nocase
        $create = "create_function" nocase
    condition:
        filesize < 5MB and uint16(0) != 0x5A4D and uint32be(0) != 0x7F454C46
        and $open and ($run or ($decode and #joined1 + #joined2 > 12) or ($create and $decode and #joined1 + #joined2 > 4))
}

rule php_shell_file_manager
{
    meta:
        title = "Administrador de archivos oculto en PHP"
        description = "Una sola página PHP reúne lo que usa un intruso: subir archivos, cambiar permisos, ver cuentas y lanzar órdenes."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1505.003"
        rsit = "intrusions.application-compromise"
        false_positives = "Administradores de archivos instalados a propósito"
    strings:
        $open = "<?"
        $upload = "move_uploaded_file"
        $users = "posix_getpwuid"
        $disabled = "disable_functions"
        $mode = "chmod("
        $tree = "scandir("
        $uname = "php_uname"
        $run1 = "shell_exec"
        $run2 = "passthru"
        $run3 = "proc_open"
        $remove = "unlink("
    condition:
        $open and filesize < 1MB and $upload and any of ($run*)
        and 4 of ($users, $disabled, $mode, $tree, $uname, $remove)
}

rule php_code_in_an_image
{
    meta:
        title = "Código PHP dentro de una imagen"
        description = "El archivo empieza como una imagen y contiene PHP que ejecuta código, para pasar los controles de un formulario de carga."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1505.003"
        rsit = "intrusions.application-compromise"
        false_positives = "Pruebas autorizadas de formularios de carga"
    strings:
        $php = /<\?(php|=)/ nocase
        $run = /\b(eval|assert|system|shell_exec|passthru|include|base64_decode)\s{0,4}\(/ nocase
        $sent = /\$_(GET|POST|REQUEST|COOKIE|FILES)\b/
    condition:
        (uint32be(0) == 0x47494638 or uint32be(0) == 0x89504E47 or uint16be(0) == 0xFFD8)
        and $php and ($run or $sent)
}
