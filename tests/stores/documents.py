"""Small documents for tests, made by hand."""

from __future__ import annotations

import io
import zipfile
import zlib


def pdf(*pages: str, compressed: bool = False) -> bytes:
    """A PDF with a line of text on each page."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, text in enumerate(pages):
        drawn = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode("cp1252")
        kind = b"/Filter /FlateDecode " if compressed else b""
        drawn = zlib.compress(drawn) if compressed else drawn
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * number} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        objects.append(b"<< %s/Length %d >>\nstream\n%s\nendstream" % (kind, len(drawn), drawn))
    return _assembled(objects)


def _assembled(objects: list[bytes]) -> bytes:
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(out)


def endless_pdf(unfolded: int) -> bytes:
    """A PDF whose one page unfolds to so many bytes of nothing."""
    drawn = zlib.compress(b" " * unfolded, 9)
    return _assembled(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << >> >>",
            b"<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn),
        ]
    )


def docx(*paragraphs: str, table: tuple[tuple[str, ...], ...] = ()) -> bytes:
    """A Word document with these paragraphs, and a table behind the first."""
    from docx import Document

    document = Document()
    for number, text in enumerate(paragraphs):
        document.add_paragraph(text)
        if table and number == 0:
            made = document.add_table(rows=len(table), cols=len(table[0]))
            for row, texts in zip(made.rows, table, strict=True):
                for cell, cell_text in zip(row.cells, texts, strict=True):
                    cell.text = cell_text
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def bomb(unfolded: int) -> bytes:
    """A small archive that looks like a Word document and unfolds to so many bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("word/document.xml", "w") as entry:
        for _ in range(unfolded // 2**20):
            entry.write(bytes(2**20))
    return out.getvalue()
