"""The one reader of XML: a payload as a head and a stream of records, read twice.

The first pass, `survey`, judges: expat (without handlers for elements, so at C speed, under defusedxml's rules) says
whether the document is well-formed, and our own splitter finds the records. The second pass, `bodies`, is the same
splitter, so both agree on every character. A document that is not well-formed goes through the same code and merely
bears the word salvaged: there is no second reader that could disagree with the first.

    bytes ─▶ text ─▶ plain text ─▶ records, and what is outside of them ─▶ leaves
        encoding   plain      records                          shape, reader

Enters: a payload. Leaves: a Survey, then the inside of each record, of which `reader` makes the texts of its leaves.
Names are local names: neither namespace nor prefix identifies the format (RFC 7489 and RFC 9990 reports carry any).
Measured against expat with handlers, ElementTree and lxml in benchmarks/xml_readers.md. May import: message, values.
"""
