// What is planted on Linux servers and on cameras, routers and recorders.

rule linux_botnet_program
{
    meta:
        title = "Programa de una red de bots para equipos Linux"
        description = "Un ejecutable de Linux busca equipos con claves de fábrica, apaga el vigilante del sistema y ataca por orden."
        author = "CGII"
        date = "2026-11-22"
        level = "critical"
        attack = "T1498"
        rsit = "malicious-code.infected-system"
        false_positives = "Ninguno conocido"
    strings:
        $busybox = /\/bin\/busybox( [A-Z]{4,12}\b)?/
        $watchdog = /\/dev\/(misc\/)?watchdog/
        $proc1 = "/proc/net/tcp"
        $proc2 = /\/proc\/(%d|self|[0-9]+)?\/?(exe|maps|cmdline)/
        $login1 = "xc3511"
        $login2 = "vizxv"
        $login3 = "7ujMko0admin"
        $login4 = "juantech"
        $attack1 = /(udp|syn|ack|tcp|http|vse|std|gre)[ _-]?(flood|attack)|attack_(method|parse|start|udp|tcp)/ nocase
        $shell1 = /(enable|system|shell|sh)\x00(enable|system|shell|sh)\x00/
        $fetch = /(wget|tftp|curl) [^\x00]{0,60}(http:\/\/|-g )/
    condition:
        uint32be(0) == 0x7F454C46 and filesize < 5MB
        and ($busybox and 2 of ($watchdog, $proc1, $attack1, $shell1, $fetch)
            or 2 of ($login*) or ($watchdog and $proc2 and $attack1))
}

rule linux_preload_rootkit
{
    meta:
        title = "Biblioteca de Linux que esconde archivos y procesos"
        description = "Una biblioteca se antepone a las del sistema para cambiar lo que otros programas ven."
        author = "CGII"
        date = "2026-11-22"
        level = "critical"
        attack = "T1574.006"
        rsit = "intrusions.system-compromise"
        false_positives = "Herramientas de medición que interceptan llamadas"
    strings:
        $preload = "ld.so.preload"
        $next = "dlsym"
        $hook1 = "readdir64"
        $hook2 = "readdir"
        $hook3 = "pam_authenticate"
        $hook4 = "getpwnam"
        $hook5 = "__lxstat"
        $hook6 = "execve"
        $hide = "/proc/net/tcp"
        $shell = "/bin/sh"
    condition:
        uint32be(0) == 0x7F454C46 and filesize < 5MB and $preload and $next and 2 of ($hook*)
        and any of ($hide, $shell)
}

rule linux_infection_script
{
    meta:
        title = "Guion que infecta un equipo Linux"
        description = "El guion busca una carpeta donde escribir, baja un programa de la red, le da permiso y lo ejecuta."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1105"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Instaladores publicados por su autor"
    strings:
        $place = /cd\s{1,2}\/(tmp|var\/run|var\/tmp|mnt|dev\/shm)[^\n]{0,60}\|\|\s{0,2}cd\s{1,2}\//
        $get = /\b(wget|curl|tftp|ftpget|busybox wget)\s[^\n;]{0,160}(https?:\/\/|ftp:\/\/|-g\s)/
        $mode = /chmod\s{1,2}(\+x|0?777|u\+x)/
        $run = /(^|[\s;&|])\.\/[A-Za-z0-9._-]{1,40}/
        $clean = /rm\s{1,2}-(rf?|f)\s[^\n;]{1,60}/
        $history = /history\s{1,2}-c|unset\s{1,2}HISTFILE|HISTSIZE=0/
    condition:
        filesize < 1MB and $get and $mode and $run and ($place or ($clean and $history))
}

rule linux_persistence_script
{
    meta:
        title = "Guion que se queda en un equipo Linux"
        description = "El guion agrega su clave SSH o una tarea programada que vuelve a bajar y ejecutar su programa."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1053.003"
        rsit = "intrusions.system-compromise"
        false_positives = "Guiones de despliegue que instalan claves de administración"
    strings:
        $cron = /(crontab\s{1,2}-|\/etc\/cron(\.d|\.hourly|\.daily|tab)?\b|\/var\/spool\/cron)/
        $pipe = /(curl|wget)\s[^\n|]{1,160}\|\s{0,2}(sudo\s{1,2})?(ba|da)?sh\b/
        $key = /ssh-(rsa|ed25519)\s{1,2}AAAA[^\n]{20,800}>>?\s{0,2}[^\n]{0,60}authorized_keys/
        $rival = /(pkill|killall|kill\s{1,2}-9)[^\n]{0,80}(xmrig|kdevtmpfsi|kinsing|minerd|masscan)/
        $lock = /chattr\s{1,2}[+-]i(a)?\s/
    condition:
        filesize < 1MB and (($cron and $pipe) or ($key and any of ($cron, $pipe, $lock)) or ($rival and any of ($cron, $pipe)))
}
