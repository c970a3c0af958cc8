"""International domain names as A-labels: IDNA 2008 (RFC 5891) behind the mapping of UTS 46, transitional off.

IDNA 2003 turned `straße` into `strasse`, the domain of somebody else. The library `idna` knows both documents; it is
loaded for names beyond ASCII alone.
"""

import re

from idna import IDNAError, alabel, uts46_remap

MAX_CHARS = 253  # of a domain name (RFC 1035 §2.3.4)
_LABEL = 63  # octets of a label
_NO_NAME = re.compile(r"xn--|.*[^a-z0-9_\x80-\U0010ffff-]", re.DOTALL)  # half a label in A-labels; blanks, `<<<`


def to_a_labels(name: str) -> str:
    """The A-labels of a name in any case, lower case; labels in ASCII stay (`_dmarc`, A-labels).

    A label that IDNA 2008 refuses and UTS 46 maps (`☃`, and what is registered with emoji) is the Punycode of what it
    maps to: that is its name in the DNS. Raises ValueError for what has no name there.
    """
    if len(name) > MAX_CHARS:
        raise ValueError(f"more than {MAX_CHARS} characters")
    mapped = uts46_remap(name, std3_rules=False, transitional=False).rstrip(".")  # an IDNAError is a ValueError
    a_labels = ".".join([label if label.isascii() else _a_label(label) for label in mapped.split(".")])
    if not a_labels or len(a_labels) > MAX_CHARS:
        raise ValueError("no name of the DNS")
    return a_labels


def _a_label(label: str) -> str:
    try:
        return alabel(label).decode("ascii")
    except IDNAError:  # also for a label that is too long
        if _NO_NAME.match(label):
            raise
        punycode = "xn--" + label.encode("punycode").decode("ascii")
    if len(punycode) > _LABEL:
        raise ValueError(f"a label of more than {_LABEL} octets")
    return punycode
