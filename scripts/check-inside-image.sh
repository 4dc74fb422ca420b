#!/bin/sh
# Runs inside the image and checks what it is made of. Ends with 1 and a sentence at the first thing that is wrong.
set -eu

wrong() {
    echo "The image is wrong: $1." >&2
    exit 1
}

[ "$(id -u)" = 10001 ] || wrong "it runs as user $(id -u), not as 10001"
[ ! -e "${SOURCES:-/src}" ] || wrong "the sources are in it"
if python3 -c "import training" 2>/dev/null; then wrong "the training code is in it"; fi
python3 -c "import app.main, facetwin_client, model.pipeline" || wrong "the service cannot be imported"
python3 -c "from app.api.page import WEB; assert (WEB / 'index.html').is_file()" || wrong "the page is missing"
for tool in cc gcc g++ clang make uv; do
    if command -v "$tool" >/dev/null 2>&1; then wrong "$tool is in it"; fi
done
echo "The image has the right user, no sources, no training code and no compiler."
