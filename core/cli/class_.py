"""`class`: the classes kept here, from the console of the server."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from core.cli.class_serving import serve
from core.cli.driving import open_store
from core.errors import InvalidInput

commands = typer.Typer(
    no_args_is_help=True,
    help="Classes: start their server, list them, replace a lost teacher's link, delete one.",
)

commands.command("serve")(serve)

Code = Annotated[str, typer.Argument(help="Code of the class, as students type it.")]


@commands.command("list")
def list_classes() -> None:
    """The classes kept here: code, when it was made, how many students, whether it is over."""
    with open_store() as store:
        for room in store.classes.all():
            made = time.strftime("%Y-%m-%d %H:%M", time.localtime(room.created))
            students = sum(not each.removed for each in store.classes.students(room.code))
            print(f"{room.code}  {made}  {students:>3} students{'  over' if room.rules.ended else ''}")


@commands.command("new-secret")
def new_secret(code: Code) -> None:
    """Another link for the teacher of a class, where it was lost or seen by others; the old one ends."""
    with open_store() as store:
        secret = store.classes.new_secret(code)
        room = store.classes.get(code)
    print("Open this below the server's address, and show it to nobody:")
    print(f"/classroom?class={room.code}&teacher={secret}")


@commands.command("delete")
def delete(code: Code) -> None:
    """Delete a class that is over: nicknames and all that was done in it. Its sandboxes go to the trash."""
    from core.store.sandboxes import Sandboxes

    with open_store() as store:
        room = store.classes.get(code)
        if not room.rules.ended:
            raise InvalidInput(
                "This class is not over: end it on the Class page, under Rules, then delete it."
            )
        students = store.classes.delete(room.code)
        sandboxes = Sandboxes(store.home)
        put_away = [sandboxes.put_away(each.student_id) for each in students]
        sandboxes.close()
    print(f"Deleted, with {len(students)} students; {sum(map(bool, put_away))} sandboxes are in the trash.")
