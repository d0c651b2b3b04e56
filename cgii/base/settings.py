"""Every setting with its default and a sentence of meaning; the manual's page is made of them."""

import json
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from cgii.base import setting_faults

EMBEDDED = "cgii.sqlite"  # the record in the data folder, without a server


class Settings(BaseSettings):
    """Read from the environment (`CGII_*`) and from the TOML file that `CGII_CONFIG` names."""

    model_config = SettingsConfigDict(env_prefix="CGII_", extra="forbid", frozen=True)

    data: Path = Field(
        Path("var"), description="Carpeta de bases de datos, evidencias y documentos."
    )
    site: Path | None = Field(
        None,
        description="Carpeta con contenido propio del sitio; se superpone al incluido. Vacía: "
        "la carpeta `site` dentro de `data`.",
    )
    database: str = Field(
        "", description="Dirección SQLAlchemy del registro; vacía: SQLite dentro de `data`."
    )
    events: str = Field(
        "",
        description="Almacén de eventos; vacío: archivos SQLite por mes dentro de `data`. Para "
        "Elasticsearch, sus nodos y el prefijo de los índices: `https://es1:9200,https://es2:9200/cgii`.",
    )
    events_user: str = Field("", description="Usuario en Elasticsearch; vacío: ninguno.")
    events_password: SecretStr = Field(
        SecretStr(""), description="Contraseña de ese usuario en Elasticsearch."
    )
    events_api_key: SecretStr = Field(
        SecretStr(""), description="Clave de API de Elasticsearch; gana al usuario."
    )
    events_ca: Path | None = Field(
        None,
        description="Archivo PEM con el certificado que avala al servidor de Elasticsearch. Vacío: "
        "los que trae la biblioteca `certifi`.",
    )
    broker: str = Field(
        "",
        description="Dirección AMQP de RabbitMQ; vacía: las tareas corren en `cgii run`.",
    )
    host: str = Field("127.0.0.1", description="Dirección en la que atienden la web y la API.")
    port: int = Field(8000, ge=1, le=65535, description="Puerto de la web y la API.")
    ingest_records_per_second: int = Field(
        2_000,
        ge=1,
        le=1_000_000,
        description="Registros por segundo que cada proceso web acepta de una entidad de forma "
        "sostenida mientras otras envían; al que pasa de eso se le pide esperar (429).",
    )
    public_url: str = Field(
        "http://127.0.0.1:8000",
        description="Dirección que usan las personas y los sensores; figura en los correos.",
    )
    syslog_host: str = Field("127.0.0.1", description="Dirección en la que se recibe syslog.")
    syslog_udp_port: int = Field(
        5514, ge=0, le=65535, description="Puerto de syslog sobre UDP; 0 lo apaga."
    )
    syslog_tcp_port: int = Field(
        5514, ge=0, le=65535, description="Puerto de syslog sobre TCP; 0 lo apaga."
    )
    syslog_tls_port: int = Field(
        0, ge=0, le=65535, description="Puerto de syslog sobre TLS, como 6514; 0 lo apaga."
    )
    syslog_tls_certificate: Path | None = Field(
        None, description="Archivo PEM con el certificado de ese puerto y su cadena."
    )
    syslog_tls_key: Path | None = Field(
        None, description="Archivo PEM con la clave de ese certificado, sin contraseña."
    )
    syslog_tls_client_ca: Path | None = Field(
        None,
        description="Archivo PEM con quien firma los certificados de los equipos que envían; "
        "con él, sin certificado no se recibe. Vacío: no se pide.",
    )
    follow: tuple[str, ...] = Field(
        (), description="Archivos de esta máquina que se siguen, cada uno como `fuente=ruta`."
    )
    mail_host: str = Field(
        "", description="Servidor SMTP; vacío: los correos quedan retenidos, sin enviar."
    )
    mail_port: int = Field(25, ge=1, le=65535, description="Puerto del servidor SMTP.")
    mail_user: str = Field("", description="Usuario en el servidor SMTP; vacío: ninguno.")
    mail_password: SecretStr = Field(SecretStr(""), description="Contraseña en el servidor SMTP.")
    mail_tls: bool = Field(True, description="Exigir STARTTLS al servidor SMTP.")
    mail_from: str = Field(
        "cgii@localhost", description="Dirección del remitente de nuestros correos."
    )
    secret: SecretStr = Field(
        SecretStr(""),
        description="Clave de la bitácora y de los secretos; vacía: se crea una en `data`.",
    )
    secure_cookies: bool = Field(
        False, description="Enviar las cookies solo por HTTPS; actívelo detrás de TLS."
    )
    demo: bool = Field(
        False, description="Señalar con una franja de color que el centro es una demostración."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="DEBUG, INFO, WARNING o ERROR."
    )
    yara_mb: int = Field(
        100, ge=1, le=1_024, description="Tamaño máximo de un archivo que YARA analiza, en MB."
    )
    yara_seconds: int = Field(
        30, ge=1, le=600, description="Segundos que YARA puede dedicar a un archivo."
    )
    yara_memory_mb: int = Field(
        512, ge=192, le=8_192, description="Memoria del proceso en que corre YARA, en MB."
    )
    yara_depth: int = Field(
        3, ge=0, le=8, description="Archivos dentro de archivos que YARA llega a abrir; 0: ninguno."
    )
    events_keep_days: int = Field(
        400,
        ge=1,
        le=36_500,
        description="Días que se conservan los eventos; se borran por meses completos.",
    )
    events_keep_gib: float = Field(
        0,
        ge=0,
        le=1_048_576,
        description="GiB que pueden ocupar los eventos, sin contar réplicas; si los pasan, se "
        "borran los meses más antiguos, nunca el mes en curso. 0: sin tope.",
    )

    @property
    def events_keep_bytes(self) -> int:
        """What the events may take on disk; 0 means that only their age counts."""
        return int(self.events_keep_gib * 1024**3)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, the environment over the file."""
        return (init_settings, env_settings, _toml(settings_cls))

    @model_validator(mode="after")
    def _find_site(self) -> Self:
        if self.site is None:  # it need not exist: a set of rules may be imported into it later
            object.__setattr__(self, "site", self.own_site)  # frozen for everybody else
        return self

    @property
    def own_site(self) -> Path:
        """Where content of the site is, and is written to; it may not exist yet."""
        return self.site or self.data / "site"

    @property
    def has_record(self) -> bool:
        """Whether there is a record, so that a command that can do without doesn't make one."""
        return bool(self.database) or (self.data / EMBEDDED).is_file()

    @property
    def database_url(self) -> str:
        """The record's URL, with the default filled in."""
        return self.database or f"sqlite:///{self.data.resolve() / EMBEDDED}"


def _toml(settings_cls: type[BaseSettings]) -> TomlConfigSettingsSource:
    try:
        return TomlConfigSettingsSource(settings_cls, toml_file=setting_faults.settings_file())
    except (TOMLDecodeError, UnicodeDecodeError) as error:
        raise setting_faults.no_toml(error) from None  # it may quote a secret


def load(**given: Any) -> Settings:  # any setting by name
    """Build the settings; raises Invalid with a sentence for each wrong one, never its value."""
    setting_faults.refuse_misspelt(Settings.model_fields)
    try:
        return Settings(**given)
    except ValidationError as error:
        raise setting_faults.wrong_values(error, Settings.model_fields) from None  # it shows values
    except SettingsError:
        raise setting_faults.wrong_list("follow") from None  # the only list


def manual_page() -> str:
    """The manual's page on settings, in Markdown; `make manual` writes it to help/settings.md."""
    lines = [
        "# Configuración",
        "",
        "Cada ajuste se da como variable de entorno, o sin `CGII_` y en minúsculas en el archivo",
        "TOML que nombra `CGII_CONFIG`. Todos tienen un valor que funciona.",
        "",
        "| Ajuste | Valor inicial | Significado |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        value = field.default
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        shown = "" if value in ("", None, ()) else f"`{json.dumps(value, default=str)}`"
        lines.append(f"| `CGII_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines) + "\n"
