"""A drawing (SVG) by matplotlib in fewer letters, for a page: the same shapes at the same places.

A path goes from each point to the next, letters are as exact as a screen can show, and what nothing
refers to is gone: names, groups of groups, and what only a person would read. A mark that stands in
many places has the colours that each place gives it, and none of its own.
"""

import copy
import itertools
import re
import xml.etree.ElementTree as ET

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
# Matplotlib writes letters in 64ths of a hundredth of their height; 8ths are a fiftieth of a pixel.
FINE, COARSE = "scale(0.015625)", "scale(.125)"
NUMBER = re.compile(r"(?<![\w#.])-?\d+(?:\.\d+)?")
NAME = re.compile(r"(?<=#)[\w.-]+")
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def short(root: ET.Element) -> str:
    """Return a drawing as text; names that start with `on-map` stay."""
    ET.register_namespace("", SVG[1:-1])
    root = copy.deepcopy(root)
    bare_marks(root)
    name_anew(root)
    unwrap(root)
    for element in root.iter():
        element.text, element.tail = ((t or "").strip() for t in (element.text, element.tail))
        shorten(element)
    return ET.tostring(root, encoding="unicode").replace(" />", "/>")


def bare_marks(root: ET.Element) -> None:
    """Take the style of what is drawn in many places, where each of these says the same again."""
    elements = list(root.iter())
    places: dict[str, list[ET.Element]] = {}
    for element in elements:
        name = element.get("href", element.get(HREF, ""))
        places.setdefault(name.removeprefix("#"), []).append(element)
    for element in elements:
        own, uses = said(element), places.get(element.get("id", ""), ())
        if own and uses and all(own <= said(use) for use in uses):
            del element.attrib["style"]


def said(element: ET.Element) -> set[str]:
    """Return what the style of an element says."""
    return {part.strip() for part in element.get("style", "").split(";")} - {""}


def name_anew(root: ET.Element) -> None:
    """Give what is referred to a short name, and nothing else any."""
    elements = list(root.iter())
    for element in elements:
        if HREF in element.attrib:
            element.set("href", element.attrib.pop(HREF))
    references = [(e, key) for e in elements for key in ("href", "clip-path") if key in e.attrib]
    found = [name for e, key in references for name in NAME.findall(e.get(key))]
    longer = ("".join(pair) for pair in itertools.product(LETTERS, repeat=2))
    names = dict(zip(dict.fromkeys(found), itertools.chain(LETTERS, longer), strict=False))
    for element, key in references:
        element.set(key, NAME.sub(lambda m: names[m[0]], element.get(key)))
    for element in elements:
        name = element.get("id", "")
        if name in names:
            element.set("id", names[name])
        elif name and not name.startswith("on-map"):
            del element.attrib["id"]


def unwrap(element: ET.Element) -> None:
    """Put what is in a group that says nothing in the place of that group."""
    children = []
    for child in element:
        unwrap(child)
        bare = child.tag == f"{SVG}g" and not child.attrib
        if child.tag != f"{SVG}metadata":
            children.extend(child if bare else [child])
    element[:] = children


def shorten(element: ET.Element) -> None:
    """Say the same with shorter attributes."""
    given = element.attrib
    if "d" in given and given.get("transform") == FINE:
        given.update(d=path(given["d"], 1 / 8, 0), transform=COARSE)
    elif "d" in given:
        given["d"] = path(given["d"])
    # A letter's place in its line, in hundredths of its height.
    place = re.fullmatch(r"translate\((\S+) (\S+)\)", given.get("transform", ""))
    if element.tag == f"{SVG}use" and place:
        del given["transform"]
        given.update(x=f"{float(place[1]):.1f}", y=f"{float(place[2]):.1f}")
    for key in {"style", "x", "y", "transform"}.intersection(given):
        given[key] = NUMBER.sub(lambda m: number(m[0]), re.sub("([:;]) ", r"\1", given[key]))
    if "href" in given:
        given["href"] = re.sub(r"\s", "", given["href"])


def path(drawn: str, scale: float = 1, digits: int = 2) -> str:
    """Return a path, each of whose points is said from the last, in units of 10 ** -digits."""
    if not re.search("[A-Z]", drawn):
        return drawn  # it is so already
    out, last, start, here = "", "", (0, 0), (0, 0)
    for command, numbers in re.findall(r"([A-Za-z])([^A-Za-z]*)", drawn):
        command = command.lower()
        if command == "z":
            out, last, here = out + "z", "z", start
            continue
        places = [round(float(n) * scale * 10**digits) for n in NUMBER.findall(numbers)]
        steps = [place - here[k % 2] for k, place in enumerate(places)]
        said = " ".join(number(f"{step / 10**digits:.{digits}f}") for step in steps)
        # After the first point a line needs no letter, and nothing needs the letter before again.
        again = command != "m" and (command == last or (command == "l" and last == "m"))
        out += f" {said}" if again else command + said
        last, here = command, tuple(places[-2:])
        start = here if command == "m" else start
    return out.replace(" -", "-")


def number(text: str) -> str:
    """Return a number without zeros that say nothing."""
    text = text.rstrip("0").rstrip(".") if "." in text else text
    text = re.sub(r"^(-?)0\.", r"\1.", text)
    return "0" if text in ("", "-0", "-") else text
