"""Files for the page's tests, made here: pictures, sound, PDF, text, and names that are hard to show."""
import io
import math
import os
import struct
import time
import wave
import zlib

NOW = 1763750000


def png(width, height, seed=0):
    """A picture: soft hills under a sky."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            hill = height * (0.62 + 0.12 * math.sin(x / width * 5 + seed) + 0.05 * math.sin(x / width * 17 + seed * 2))
            far = height * (0.5 + 0.1 * math.sin(x / width * 3 + seed + 2))
            if y > hill:
                rows += bytes((54, 98 + (y * 40) // height, 84))
            elif y > far:
                rows += bytes((112, 152, 150))
            else:
                rows += bytes((226 - (y * 40) // height, 214 + (y * 20) // height, 206 + (y * 60) // height))

    def part(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(bytes(rows), 6)) + part(b"IEND", b"")


def wav(seconds=1):
    out = io.BytesIO()
    with wave.open(out, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(i / 8000 * 2 * math.pi * 440))) for i in range(8000 * seconds)))
    return out.getvalue()


def pdf(text="Quarterly report"):
    stream = f"BT /F1 32 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
               b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
               b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream), b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    return out + b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start


NOTES = "Meeting notes\n\nThe ferry leaves at ten to nine.\nBring the charts; the tide turns at noon.\n"

PICTURE = png(480, 320)

HOME = {
    "photos/harbour 2.png": PICTURE,
    "photos/harbour 10.png": png(320, 240, 1),
    "photos/harbour 1.png": png(320, 240, 2),
    "music/tide.wav": wav(),
    "archive/2024/january/log.txt": b"cold\n",
    "archive/2025/log.txt": b"warm\n",
    "report 2.pdf": pdf(),
    "report 10.pdf": pdf("Another"),
    "notes.txt": NOTES.encode(),
    "budget.csv": b"month,sum\nJanuary,120\n",
    "backup.tar.gz": b"\x1f\x8b" + os.urandom(3000),
    "crew list of the northern harbour, all shifts, final version.docx": b"PK" + bytes(48000),
    "scan.tiff": bytes(2_400_000),
    "empty.txt": b"",
    "source.py": b"print('<b>not a page</b>')\n",
}

# Names that must be shown and not obeyed; the last is no UTF-8.
ODD = ["\u202etxt.exe", "tab\there.txt", "line\nbreak.txt", "<img src=x onerror=alert(1)>.txt", "a&b#c?d%e+f;g.txt", " leading and trailing ", "שלום.txt", "zero\u200bwidth.txt",
       "😀 family 👩‍👩‍👧.png", "quote\"s and 'single'.txt", "back\\slash.txt", "percent%2Fslash.txt", "\ufffd real.txt"]
RAW = b"caf\xe9 \xff.txt"


def furnish(root):
    age = 0
    for name, data in HOME.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        age += 86400 * 9
        os.utime(path, (NOW - age, NOW - age))
    for folder in ("photos", "music", "archive"):
        os.utime(root / folder, (NOW - 86400 * 30, NOW - 86400 * 30))
    now = time.time()
    os.utime(root / "notes.txt", (now, now))


def odd_names(root):
    for name in ODD:
        (root / name).write_bytes(name.encode())
    with open(os.path.join(os.fsencode(root), RAW), "wb") as out:
        out.write(b"raw")
