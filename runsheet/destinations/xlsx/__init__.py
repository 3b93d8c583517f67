"""The destination xlsx: a workbook on disk. New ones come from openpyxl, existing ones are patched.

archive       members of the zip file, copied byte for byte
package       parts, relationships, content types; `parts` adds new ones
markup        XML read with the places of its bytes, and edits spliced into them
book          the workbook part: tabs, and the defined names that mark our columns
sheet         what stands where in a worksheet; `strings` and `spans` help it
notes         the hidden tab of the book-keeping
cell_xml      a cell as XML; `rows` writes them into a worksheet, `style` and `table` follow
new           an empty workbook
stream        a new workbook written row by row, for backups
patch         a plan becomes the parts that differ
lock, disk    who may write, and a save that is whole or not at all
refusal       what cannot be written, in words
destination   the interface
"""

from runsheet.destinations.xlsx.destination import XlsxDestination

__all__ = ["XlsxDestination"]
