"""Stage `demo`: renders one of the two demo domains, real video files from a seed.

Reads   params demo
Writes  data/raw/<domain>/<class>/<video>, data/raw/<domain>/videos.csv
"""

from pipeline import params, paths, stages
from pipeline.demo.write import DOMAINS, render_domain
from pipeline.engine import cores
from pipeline.errors import UserError


def main() -> None:
    """Runs the stage for one domain."""
    name = stages.domain_argument()
    p = params.load()
    for domain in DOMAINS:
        if domain == name:
            workers = p.engine.workers or cores()
            render_domain(domain, paths.raw(name), workers=workers, **p.demo.model_dump())
            return
    raise UserError(f"demo: no domain {name!r}; the demo has {', '.join(DOMAINS)}")


if __name__ == "__main__":
    stages.run(main)
