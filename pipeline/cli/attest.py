"""``assay attest``: signed statements that others can check without Assay."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.command import NAMES, App, command


@command
@NAMES
@click.option(
    "--key",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The private key, in PEM: ed25519 or P-256. Of an encrypted one the password is in $ASSAY_KEY_PASSWORD.",
)
def attest(app: App, names: tuple[str, ...], key: Path) -> int:
    """Sign what a lock is made of, what the gate said of it, and its files.

    Writes to attestations/NAME/: SLSA provenance of the lock and a verification summary of the gate's newest decision (in-toto statements
    in DSSE envelopes), and with a key on P-256 a bundle for OpenSSF Model Signing. Every byte is hashed before. The same lock, decision and
    key give the same files.

    \b
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem && chmod 600 key.pem
    openssl pkey -in key.pem -pubout -out key.pub
    assay attest tiny-chat --key key.pem
    assay verify tiny-chat --require-signed --public-key key.pub
    """
    from pipeline.attest.keys import read_private
    from pipeline.flow.attesting import attest as attest_

    session = app.session(offline=True)
    private = read_private(key)
    answers, lines = [], []
    for name in session.names(names):
        lock = session.current(name)
        made = attest_(session, lock, private, session.project.attestations / name)
        files = [str(path) for path in made.files]
        answers.append(
            {
                "name": name,
                "lock_digest": str(lock.digest),
                "files": files,
                "missing": list(made.missing),
                "accepted": made.accepted,
            }
        )
        lines += files
        for one in made.missing:
            session.progress.note(f"{name}: without {one}")
        if made.accepted is False:
            session.progress.note(f"{name}: the gate rejected it, and the summary says so")
    app.answer("attest", {"key": private.public.id, "models": answers}, "\n".join(lines))
    return 0
