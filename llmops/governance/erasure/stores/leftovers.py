"""Files in the lake that no manifest names: dead, running and superseded attempts, and parts of unfinished work.

Such a file goes as a whole. So does a table that is torn and cannot be searched; a stage that was just writing it
fails and is run again.
"""

from llmops.governance.erasure import contents
from llmops.governance.erasure.lake_files import Lake
from llmops.governance.erasure.person import Person
from llmops.governance.erasure.places import Found, Places


def find(person: Person, places: Places) -> list[Found]:
    """The files that hold the person, with the rows in them."""
    lake = Lake(places.settings.lake)
    return [Found(name, items) for name in lake.leftovers() if (items := _count(name, lake.read(name), person))]


def erase(person: Person, places: Places) -> None:
    """Delete them."""
    lake = Lake(places.settings.lake)
    for name in lake.leftovers():
        if _count(name, lake.read(name), person):
            lake.delete(name)


def _count(name: str, data: bytes, person: Person) -> int:
    """Rows about the person; 1 for another file with their names or ids, and for a table that cannot be read."""
    if not data:
        return 0
    if not name.endswith(".parquet"):
        return int(person.is_in(data) or person.has_id_in(data))
    if not contents.is_readable(data):
        return 1
    rows = [row for row in contents.rows_of(data) if person.concerns(row)]
    for row in rows:
        person.learn(row)
    return len(rows)
