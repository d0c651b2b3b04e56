"""What kinds of incident the demonstration country has: how often, how bad, with which facts."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One kind of incident. `share` is its part of all, relative to the others."""

    rsit_class: str
    rsit_type: str
    share: int
    severity: str
    titles: tuple[str, ...]
    summary: str
    observable: str  # ip domain url hash mail
    controls: tuple[str, ...]  # that usually failed
    cause: str
    lesson: str


CASES = (
    Case(
        "intrusion-attempts", "brute-force", 16, "medio",
        ("Intentos repetidos de acceso por SSH a {host}", "Fuerza bruta contra el correo web",
         "Rociado de contraseñas contra la VPN institucional"),
        "Se observan cientos de intentos de acceso fallidos desde direcciones externas contra "
        "cuentas de la entidad.",
        "ip", ("3.5", "3.7"),
        "Servicio de acceso remoto publicado sin segundo factor ni límite de intentos.",
        "Publicar el acceso remoto solo por VPN con segundo factor.",
    ),
    Case(
        "information-content-security", "unauthorised-information-modification", 9, "alto",
        ("Desfiguración del portal institucional", "Página ajena publicada en {host}"),
        "La página principal del portal muestra contenido ajeno a la entidad.",
        "url", ("6.9", "8.3"),
        "Gestor de contenidos sin actualizar, con un complemento vulnerable.",
        "Incluir los complementos del portal en el ciclo mensual de actualización.",
    ),
    Case(
        "malicious-code", "infected-system", 13, "alto",
        ("Equipos infectados en la red administrativa", "Troyano bancario en estación de trabajo",
         "Comunicación con servidor de mando y control desde {host}"),
        "Un equipo de la red interna se comunica a menudo con un servidor de mando y control.",
        "hash", ("6.5", "6.9"),
        "Usuario con privilegios de administración abrió un adjunto malicioso.",
        "Retirar privilegios locales y reforzar el filtrado del correo.",
    ),
    Case(
        "malicious-code", "malware-distribution", 4, "muy_alto",
        ("Cifrado de archivos por ransomware en servidor de archivos",
         "Ransomware en estaciones de la unidad financiera"),
        "Archivos compartidos aparecen cifrados y con una nota de rescate.",
        "hash", ("6.6", "6.5", "7.2"),
        "Copias de respaldo accesibles desde el mismo dominio comprometido.",
        "Mantener una copia de respaldo fuera de línea y probar su restauración.",
    ),
    Case(
        "fraud", "phishing", 18, "medio",
        ("Campaña de phishing que suplanta a la entidad", "Correo fraudulento a funcionarios",
         "Sitio falso de trámites de la entidad"),
        "Circulan correos que suplantan a la entidad y dirigen a un formulario falso.",
        "url", ("1.3", "7.5"),
        "El dominio de la entidad no tenía política DMARC de rechazo.",
        "Publicar SPF, DKIM y DMARC con rechazo y capacitar al personal.",
    ),
    Case(
        "vulnerable", "vulnerable-system", 14, "medio",
        ("Servicio expuesto con vulnerabilidad conocida en {host}",
         "Panel de administración accesible desde Internet", "Versión sin soporte en servidor web"),
        "Se detectó un servicio publicado con una vulnerabilidad de explotación conocida.",
        "ip", ("6.9", "7.1"),
        "No hay un inventario de servicios publicados ni un ciclo de actualización.",
        "Llevar un inventario de lo publicado y revisarlo cada mes.",
    ),
    Case(
        "availability", "ddos", 6, "alto",
        ("Denegación de servicio contra el portal de trámites", "Portal saturado"),
        "El portal responde con lentitud o no responde por un volumen anormal de solicitudes.",
        "ip", ("6.3", "7.1"),
        "El portal no tenía un servicio de mitigación frente a picos de tráfico.",
        "Acordar con el proveedor un procedimiento de filtrado previo.",
    ),
    Case(
        "information-content-security", "data-leak", 5, "muy_alto",
        ("Credenciales de funcionarios en una filtración", "Base de datos ofrecida en un foro",
         "Documentos internos accesibles sin autenticación"),
        "Información de la entidad aparece publicada o disponible para terceros.",
        "domain", ("2.3", "3.3"),
        "Un directorio de respaldo quedó publicado sin control de acceso.",
        "Revisar antes de publicar y quitar listados de directorios.",
    ),
    Case(
        "intrusions", "application-compromise", 6, "alto",
        ("Puerta trasera web en {host}", "Inyección SQL explotada en formulario de consultas"),
        "Se encontró un archivo que permite ejecutar órdenes en el servidor web.",
        "ip", ("8.3", "8.5"),
        "El formulario no validaba sus entradas y la carpeta de subidas ejecutaba código.",
        "Separar la carpeta de subidas y revisar el código antes de publicar.",
    ),
    Case(
        "intrusions", "privileged-account-compromise", 2, "critico",
        ("Cuenta de administración de dominio comprometida",),
        "Se crearon cuentas y se borraron registros con una cuenta de administración.",
        "ip", ("3.3", "3.4", "6.7"),
        "La cuenta de administración se usaba desde estaciones comunes y sin segundo factor.",
        "Usar estaciones dedicadas y segundo factor para administrar.",
    ),
    Case(
        "information-gathering", "scanner", 9, "bajo",
        ("Exploración de puertos desde el exterior", "Rastreo de rutas en el portal"),
        "Se observan exploraciones sistemáticas contra los servicios publicados.",
        "ip", ("7.1",),
        "Exploración sin efecto; el filtrado perimetral funcionó.",
        "Mantener el filtrado y la vigilancia.",
    ),
    Case(
        "abusive-content", "spam", 3, "bajo",
        ("Envío masivo de correo desde una cuenta institucional",),
        "Una cuenta institucional envía correo no solicitado en grandes cantidades.",
        "mail", ("1.3", "3.5"),
        "La contraseña de la cuenta se reutilizaba en un servicio externo.",
        "Exigir segundo factor en el correo.",
    ),
)  # fmt: skip

COMMENTS = (
    "Se contactó por teléfono al RSI de la entidad; confirma lo observado y guarda los registros.",
    "Se revisaron los registros de las últimas 72 horas; no se ven otros equipos afectados.",
    "Se pidió al proveedor el bloqueo de las direcciones de origen.",
    "La entidad aisló el equipo de la red y tomó una imagen del disco.",
    "Se comparte con la entidad la lista de indicadores para su búsqueda interna.",
    "Se verificó la restauración del servicio con el área de sistemas de la entidad.",
)
QUESTIONS = (
    "Remita los registros de acceso del servidor afectado desde 48 horas antes del hecho.",
    "Confirme si las cuentas mencionadas tienen segundo factor y cuándo cambiaron de contraseña.",
    "Indique qué sistemas y servicios dependen del equipo afectado.",
    "Envíe la constancia de la última prueba de restauración de respaldos.",
)
ANSWERS = (
    "Se adjuntan los registros pedidos. El servidor quedó fuera de línea mientras se revisa.",
    "Se cambiaron las contraseñas y se activó el segundo factor para las cuentas señaladas.",
    "Dependen dos sistemas internos y el portal de consultas; se activó el plan de contingencia.",
)
