# Sourced by scripts that build or run images where no container engine and no image registry is: images made of Debian's
# packages, which stand in for those that the Dockerfile and docker-compose.yml name. Needs root.

export STORAGE_DRIVER="${STORAGE_DRIVER:-overlay}"
PYTHON_STANDIN=localhost/facetwin-standin-python

need() {
    for tool; do
        [ -x "/usr/lib/podman/$tool" ] || command -v "$tool" >/dev/null || {
            echo "Missing: $tool. Run: apt-get install buildah podman crun debootstrap netavark aardvark-dns" >&2
            exit 1
        }
    done
}

# standin NAME SUITE PACKAGES: makes an image of Debian's packages, unless there is one. Runs `prepare FOLDER` before.
standin() {
    if podman --storage-driver "$STORAGE_DRIVER" image exists "localhost/facetwin-standin-$1"; then return; fi
    echo "Making a stand-in for the image of $1 from Debian $2 ..."
    root=$(mktemp -d)
    debootstrap --variant=minbase --include="$3" "$2" "$root" >/dev/null
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
    prepare "$root"
    tar -C "$root" -c . | podman --storage-driver "$STORAGE_DRIVER" import $4 - "localhost/facetwin-standin-$1" >/dev/null
    rm -rf "$root"
}

standin_python() {
    prepare() {
        ln -s /usr/bin/python3 "$1/usr/local/bin/python3"
        ln -s /usr/bin/python3 "$1/usr/local/bin/python"
    }
    standin python bookworm python3,python3-venv,python3-pip,ca-certificates ""
}

# Does with POSTGRES_USER, POSTGRES_DB and POSTGRES_PASSWORD what the official image's entry point does.
standin_postgres() {
    prepare() {
        cat >"$1/entrypoint.sh" <<'END'
#!/bin/sh
set -eu
if [ "$(id -u)" = 0 ]; then
    mkdir -p "$PGDATA" /run/postgresql
    chown postgres "$PGDATA" /run/postgresql
    chmod 700 "$PGDATA"
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    printf %s "$POSTGRES_PASSWORD" >/tmp/password
    initdb --username="$POSTGRES_USER" --pwfile=/tmp/password --auth-host=scram-sha-256 >/dev/null
    rm /tmp/password
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    pg_ctl --wait --options="-c listen_addresses=''" start >/dev/null
    [ "$POSTGRES_DB" = postgres ] || createdb --username="$POSTGRES_USER" --maintenance-db=postgres "$POSTGRES_DB"
    pg_ctl --mode=fast --wait stop >/dev/null
fi
exec postgres -c listen_addresses='*'
END
        chmod 755 "$1/entrypoint.sh"
    }
    standin postgres trixie postgresql-17,postgresql-17-pgvector,ca-certificates \
        "--change ENTRYPOINT=/entrypoint.sh --change ENV=PGDATA=/var/lib/postgresql/data --change ENV=PATH=/usr/lib/postgresql/17/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}

# nginx.conf as in the official image, as far as docker-compose.yml depends on it.
standin_nginx() {
    prepare() {
        cat >"$1/etc/nginx/nginx.conf" <<'END'
daemon off;
user www-data;
worker_processes auto;
error_log /var/log/nginx/error.log notice;
pid /run/nginx.pid;
events { worker_connections 1024; }
http {
  include /etc/nginx/mime.types;
  client_body_temp_path /var/cache/nginx/client_temp;
  proxy_temp_path /var/cache/nginx/proxy_temp;
  fastcgi_temp_path /var/cache/nginx/fastcgi_temp;
  uwsgi_temp_path /var/cache/nginx/uwsgi_temp;
  scgi_temp_path /var/cache/nginx/scgi_temp;
  include /etc/nginx/conf.d/*.conf;
}
END
        mkdir -p "$1/var/cache/nginx"
        ln -sf /dev/stderr "$1/var/log/nginx/error.log"
        ln -sf /dev/stdout "$1/var/log/nginx/access.log"
    }
    standin nginx sid nginx,ca-certificates "--change CMD=nginx"
}

# build_image TAG OPTIONS: builds the Dockerfile on the stand-in for Python. PyPI instead of PyTorch's own index, which
# may be out of reach where no image registry is in reach.
build_image() {
    tag=$1
    shift
    # In Docker's format: the other one has no health checks.
    buildah --storage-driver "$STORAGE_DRIVER" bud --format docker --layers --isolation chroot --network host --pull-never \
        -v /etc/ssl/certs:/etc/ssl/certs:ro --build-arg PYTHON_IMAGE="$PYTHON_STANDIN" --build-arg TORCH_INDEX_URL= "$@" -t "$tag" .
}
