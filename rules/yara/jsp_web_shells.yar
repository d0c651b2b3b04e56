// Java pages that run commands or classes sent by a visitor.

rule jsp_shell_runs_commands
{
    meta:
        title = "Web shell en JSP que ejecuta órdenes"
        description = "Una página JSP lanza un proceso del sistema con un valor que llega en la petición."
        author = "CGII"
        date = "2026-11-22"
        level = "critical"
        attack = "T1505.003"
        rsit = "intrusions.application-compromise"
        false_positives = "Consolas de administración escritas en JSP"
    strings:
        $page = "<%"
        $page2 = "<jsp:scriptlet"
        $exec = /getRuntime\s{0,4}\(\s{0,4}\)\s{0,4}\.\s{0,4}exec\s{0,4}\(/
        $builder = /new\s{1,4}ProcessBuilder\s{0,4}\(/
        $hidden = /"(java\.lang\.)?Runtime"|getMethod\s{0,4}\(\s{0,4}"exec"/
        $sent = /request\s{0,4}\.\s{0,4}(getParameter|getHeader|getInputStream|getReader|getCookies)\s{0,4}\(/
    condition:
        filesize < 2MB and any of ($page*) and $sent and any of ($exec, $builder, $hidden)
}

rule jsp_shell_loads_classes
{
    meta:
        title = "Web shell en JSP que carga clases enviadas"
        description = "Una página JSP define una clase de Java a partir de bytes que llegan en la petición, a menudo cifrados."
        author = "CGII"
        date = "2026-11-22"
        level = "critical"
        attack = "T1505.003"
        rsit = "intrusions.application-compromise"
        false_positives = "Ninguno conocido en páginas de aplicaciones"
    strings:
        $page = "<%"
        $page2 = "<jsp:scriptlet"
        $define = "defineClass"
        $loader = /extends\s{1,4}ClassLoader|URLClassLoader/
        $sent = /request\s{0,4}\.\s{0,4}(getParameter|getHeader|getInputStream|getReader)\s{0,4}\(/
        $decode1 = "Base64" nocase
        $decode2 = "Cipher.getInstance"
        $decode3 = "SecretKeySpec"
    condition:
        filesize < 2MB and any of ($page*) and $define and $loader and $sent and any of ($decode*)
}
