// A command interpreter that calls home.

rule reverse_shell_one_line
{
    meta:
        title = "Intérprete de órdenes que llama afuera"
        description = "Una línea conecta un intérprete de órdenes con otra máquina de la red."
        author = "CGII"
        date = "2026-11-22"
        level = "critical"
        attack = "T1059.004"
        rsit = "intrusions.system-compromise"
        false_positives = "Apuntes y pruebas de intrusión autorizadas"
    strings:
        $bash = /\b(ba|da|z|k)?sh\s{1,4}-i\s{0,4}[0-9]?(>&|&>|<&|<>|>)\s{0,4}\/dev\/(tcp|udp)\//
        $exec = /exec\s{1,4}[0-9]{1,3}<>\s{0,2}\/dev\/(tcp|udp)\//
        $netcat = /\b(nc|ncat|netcat)(\.traditional|\.openbsd|\.exe)?\s[^\n;|&]{0,80}-(e|c)\s{1,4}["']?(\/(usr\/)?bin\/)?(ba|da|z)?(sh|cmd|powershell)\b/
        $fifo = /mkfifo\s{1,4}\S{1,60}[^\n]{0,80}\|\s{0,4}(\/bin\/)?(ba)?sh\s{1,4}-i[^\n]{0,40}\|\s{0,4}(nc|ncat|openssl)\b/
        $socat = /socat\s[^\n]{0,120}exec:\s{0,2}["']?[^\n,]{0,20}(ba)?sh\b[^\n]{0,60}pty/ nocase
        $awk = /awk\s[^\n]{0,40}BEGIN\s{0,2}\{[^\n]{0,60}\/inet\/tcp\/0\//
    condition:
        filesize < 20MB and any of them
}

rule reverse_shell_script
{
    meta:
        title = "Guion que entrega un intérprete de órdenes"
        description = "Un guion de Python, Perl, Ruby o PHP abre una conexión y le entrega un intérprete de órdenes."
        author = "CGII"
        date = "2026-11-22"
        level = "critical"
        attack = "T1059.006"
        rsit = "intrusions.system-compromise"
        false_positives = "Apuntes y pruebas de intrusión autorizadas"
    strings:
        $python1 = /socket\s{0,2}\.\s{0,2}socket\s{0,2}\(/
        $python2 = /os\s{0,2}\.\s{0,2}dup2\s{0,2}\(\s{0,2}\w{1,20}\s{0,2}\.\s{0,2}fileno\s{0,2}\(\s{0,2}\)\s{0,2},\s{0,2}[012]/
        $python3 = /(subprocess\.\w{3,10}|pty\.spawn)\s{0,2}\(\s{0,2}\[?\s{0,2}["'](\/bin\/)?(ba|da)?sh["']/
        $perl1 = /socket\s{0,2}\(\s{0,2}\w{1,10}\s{0,2},\s{0,2}PF_INET/
        $perl2 = /open\s{0,2}\(\s{0,2}STDIN\s{0,2},\s{0,2}["']>&/
        $perl3 = /exec\s{0,2}\(?\s{0,2}["']\/bin\/(ba)?sh\s{1,2}-i/
        $ruby1 = /TCPSocket\s{0,2}\.\s{0,2}(new|open)/
        $ruby2 = /exec\s{0,2}\(?\s{0,2}sprintf\s{0,2}\(\s{0,2}["']\/bin\/(ba)?sh/
        $php1 = /fsockopen\s{0,2}\(/ nocase
        $php2 = /(proc_open|exec|shell_exec|popen)\s{0,2}\(\s{0,2}["'](\/bin\/)?(ba)?sh\s{1,2}-i/ nocase
    condition:
        filesize < 5MB and ((($python1 and $python2 and $python3)) or (all of ($perl*)) or all of ($ruby*) or all of ($php*))
}

rule reverse_shell_powershell
{
    meta:
        title = "PowerShell que entrega un intérprete de órdenes"
        description = "Un guion de PowerShell lee órdenes de una conexión y devuelve lo que resulta de ejecutarlas."
        author = "CGII"
        date = "2026-11-22"
        level = "critical"
        attack = "T1059.001"
        rsit = "intrusions.system-compromise"
        false_positives = "Pruebas de intrusión autorizadas"
    strings:
        $client = "Sockets.TCPClient" ascii wide nocase
        $stream = "GetStream" ascii wide nocase
        $run = /\b(iex|invoke-expression)\b/ ascii wide nocase
        $read = /\.Read(Line)?\s{0,2}\(/ ascii wide nocase
        $write = /\.Write\s{0,2}\(/ ascii wide nocase
    condition:
        filesize < 5MB and $client and $stream and $run and $read and $write
}
