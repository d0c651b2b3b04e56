// Programs and settings that spend somebody else's electricity.

rule miner_configuration
{
    meta:
        title = "Configuración de un minero de criptomonedas"
        description = "El archivo indica una bolsa de minería, una billetera y el algoritmo con que se mina."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1496"
        rsit = "fraud.unauthorised-use-of-resources"
        false_positives = "Minería autorizada, que no corresponde en un servidor del Estado"
    strings:
        $pool = /stratum2?\+(tcp|ssl|tls):\/\/[a-z0-9.-]{4,80}/ ascii wide nocase
        $key1 = "\"donate-level\"" nocase
        $key2 = "\"pools\"" nocase
        $key3 = "\"randomx\"" nocase
        $key4 = "\"rig-id\"" nocase
        $key5 = "\"nicehash\"" nocase
        $key6 = /"algo"\s{0,4}:\s{0,4}"(rx\/|cn\/|argon2|kawpow|ghostrider)/ nocase
        $option1 = /--(donate-level|coin|algo|rig-id|nicehash|cpu-max-threads-hint)[= ]/ ascii wide nocase
        $option2 = /\s-o\s{1,2}[a-z0-9.-]{4,80}:[0-9]{2,5}\s[^\n]{0,40}-u\s{1,2}[A-Za-z0-9.]{30,110}/ ascii wide nocase
    condition:
        filesize < 50MB and ($pool and any of ($key*, $option*) or 3 of ($key*) or ($option1 and $option2))
}

rule miner_program
{
    meta:
        title = "Programa minero de criptomonedas"
        description = "Un ejecutable contiene los textos con que un minero habla con su bolsa y elige su algoritmo."
        author = "CGII"
        date = "2026-11-22"
        level = "high"
        attack = "T1496"
        rsit = "fraud.unauthorised-use-of-resources"
        false_positives = "Minería autorizada"
    strings:
        $scheme = /stratum2?\+(tcp|ssl)/ ascii wide nocase
        $name1 = "xmrig" ascii wide nocase
        $name2 = "cpuminer" ascii wide nocase
        $name3 = "cryptonight" ascii wide nocase
        $name4 = "randomx" ascii wide nocase
        $call1 = "mining.subscribe" ascii wide
        $call2 = "mining.authorize" ascii wide
        $call3 = "keepalived" ascii wide
        $call4 = "job_id" ascii wide
    condition:
        (uint16(0) == 0x5A4D or uint32be(0) == 0x7F454C46) and filesize < 50MB
        and (2 of ($name*) or ($scheme and any of ($name*, $call*)) or all of ($call1, $call2, $call4))
}

rule miner_in_a_web_page
{
    meta:
        title = "Minero dentro de una página web"
        description = "La página carga un guion que usa el navegador de quien la visita para minar."
        author = "CGII"
        date = "2026-11-22"
        level = "medium"
        attack = "T1496"
        rsit = "intrusions.application-compromise"
        false_positives = "Ninguno conocido en sitios del Estado"
    strings:
        $page = /<script|function\s{0,4}\(|=>/ nocase
        $client = /\b(CoinHive|CoinImp|Client|DeepMiner|WebMiner|CryptoLoot)\.(Anonymous|User|Token)\s{0,2}\(/ nocase
        $start = /\.start\s{0,2}\(/
        $wasm = /cryptonight[a-z0-9_.-]{0,20}\.wasm|cn(_lite)?\.wasm/ nocase
        $throttle = /throttle["']?\s{0,2}[:,]/ nocase
    condition:
        filesize < 5MB and $page and ($client and ($start or $throttle) or $wasm)
}
