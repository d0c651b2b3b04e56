// Packages of Python and Node that act while they are being installed.

rule node_package_acts_at_install
{
    meta:
        title = "Paquete de Node que actúa al instalarse"
        description = "El paquete ejecuta al instalarse una orden que baja o esconde código."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1195.002"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Paquetes que descargan su parte binaria del sitio de su autor"
    strings:
        $name = "\"name\""
        $scripts = "\"scripts\""
        $hook = /"(pre|post)?install"\s{0,4}:\s{0,4}"[^"\n]{0,200}(curl|wget|powershell|certutil|\bnc\b|base64|node\s{1,2}-e|https?:\/\/|\/dev\/tcp|\beval\b)/ nocase
    condition:
        filesize < 1MB and all of them
}

rule node_code_steals_the_environment
{
    meta:
        title = "Código de Node que envía secretos afuera"
        description = "Un módulo lee las variables de entorno o archivos de claves y los envía a otra máquina."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1552.001"
        rsit = "information-content-security.data-leak"
        false_positives = "Programas de diagnóstico que piden permiso"
    strings:
        $take1 = /JSON\.stringify\s{0,2}\(\s{0,2}process\.env\s{0,2}\)/
        $take2 = /readFileSync\s{0,2}\([^)]{0,80}(\.npmrc|\.aws\/credentials|\.ssh\/id_|\.git-credentials|\.netrc)/
        $take3 = /os\.(userInfo|hostname|networkInterfaces)\s{0,2}\(\s{0,2}\)/
        $send1 = /require\s{0,2}\(\s{0,2}["'](node:)?(https?|dns|net|child_process)["']\s{0,2}\)/
        $send2 = /\bfetch\s{0,2}\(\s{0,2}["'`]https?:/
        $where1 = /(oast\.(fun|pro|live|site|online|me)|interact\.sh|burpcollaborator|webhook\.site|pipedream\.net|requestbin|discord(app)?\.com\/api\/webhooks|api\.telegram\.org)/ nocase
        $where2 = /method\s{0,2}:\s{0,2}["']POST["']/
    condition:
        filesize < 3MB and any of ($send*)
        and (any of ($take1, $take2) and any of ($where*) or ($take3 and $where1))
}

rule python_package_acts_at_install
{
    meta:
        title = "Paquete de Python que actúa al instalarse"
        description = "El instalador del paquete baja o descifra código y lo ejecuta."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1195.002"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Instaladores que compilan una biblioteca descargada"
    strings:
        $setup = /\bsetup\s{0,2}\(|setuptools|distutils/
        $hook = /cmdclass\s{0,2}=|class\s{1,2}\w{1,40}\s{0,2}\(\s{0,2}(install|develop|egg_info|build_py)\s{0,2}\)/
        $get = /(urlopen|urlretrieve|requests\.(get|post)|http\.client|socket\.socket)\s{0,2}\(/
        $run = /\b(exec|eval|os\.system|subprocess\.\w{3,12}|os\.popen)\s{0,2}\(/
        $hidden = /\b(exec|eval)\s{0,2}\(\s{0,2}(compile\s{0,2}\(\s{0,2})?(__import__\s{0,2}\(\s{0,2}["'](base64|zlib|marshal)|base64\.b64decode|zlib\.decompress|marshal\.loads|bytes\.fromhex|codecs\.decode)/
    condition:
        filesize < 2MB and $setup and ($hidden or ($hook and $get and $run))
}

rule python_code_unpacks_itself
{
    meta:
        title = "Código de Python que se descifra y se ejecuta"
        description = "El programa guarda su código comprimido, cifrado o en Base64 y lo ejecuta al abrirse."
        author = "CGII"
        date = "2026-11-22"
        level = "medium"
        attack = "T1027"
        rsit = "malicious-code.malware-distribution"
        false_positives = "Programas protegidos por su autor"
    strings:
        $run = /\bexec\s{0,2}\(\s{0,2}(compile\s{0,2}\(\s{0,2})?(__import__\s{0,2}\(\s{0,2}["'](base64|zlib|marshal)["']\s{0,2}\)\.\w{3,12}\s{0,2}\(|base64\.b64decode\s{0,2}\(|zlib\.decompress\s{0,2}\(|marshal\.loads\s{0,2}\(|lzma\.decompress\s{0,2}\(|Fernet\s{0,2}\()/
        $lambda = /exec\s{0,2}\(\s{0,2}\(_\)\s{0,2}\(/
    condition:
        filesize < 5MB and any of them
}
