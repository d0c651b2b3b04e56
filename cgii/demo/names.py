"""Believable names of persons and addresses for the demonstration; all invented."""

import random
import unicodedata

FIRST = (
    "María Elena Juan Carlos Ana Luis Rosa Jorge Carmen Miguel Patricia José Silvia "
    "Fernando Gabriela Marco Verónica Ramiro Lourdes Óscar Claudia Rolando Miriam Edwin "
    "Paola Javier Sonia Álvaro Nelly Gonzalo Roxana Wilmer Daniela Freddy Karina Limber "
    "Beatriz Rubén Jhoselin Hernán Teresa Grover Ximena Víctor Mónica Iván Elizabeth Raúl "
    "Noemí Franz Delia Marcelo Judith Saúl"
).split()
LAST = (
    "Mamani Quispe Flores Condori Choque Rojas Vargas Gutiérrez Fernández López Apaza "
    "Huanca Ticona Cruz Rodríguez Vásquez Torrez Aguilar Calle Chávez Poma Laura Nina "
    "Callisaya Limachi Colque Arce Suárez Justiniano Roca Melgar Paz Soliz Ribera Pinto "
    "Camacho Zambrana Villarroel Cardozo Encinas Sandoval Peñaranda Loayza Alarcón "
    "Montaño Claure Arnez Terrazas Céspedes Durán Oporto Saavedra Yujra Tarqui"
).split()


def person(random_: random.Random) -> str:
    """A name with two surnames: `Rosa Mamani Flores`."""
    return " ".join(random_.choice(pool) for pool in (FIRST, LAST, LAST))


def plain(text: str) -> str:
    """The text without accents, in lower case, words joined by dots: fit for an address."""
    folded = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return ".".join("".join(c for c in word if c.isalnum()) for word in folded.split())


def email(name: str, domain: str) -> str:
    """`rosa.mamani@entidad.gob.bo`."""
    words = plain(name).split(".")
    return f"{words[0]}.{words[1]}@{domain}"
