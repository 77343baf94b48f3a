#!/usr/bin/env bash
# Installs corelog on this machine, or takes it away again. docs/DEPLOY.md tells the whole way.
#   install.sh --prefix DIR [options]   e.g. --prefix /usr/local; again with a newer binary: an upgrade
#   install.sh --prefix DIR --uninstall removes what was installed; data, properties and the user stay
#     --dry-run        says what would be done and changes nothing
#     --binary FILE    the corelog binary (default: where the scripts find it, see corelog-env.sh)
#     --data DIR       the log directory of a new properties file (default /var/lib/corelog)
#     --user NAME      who runs it (default corelog); created if need be and possible
#     --no-tune        leaves the kernel's settings alone (else: scripts/tune.sh apply)
# Nothing is started: systemctl enable --now corelog does that. An existing /etc/corelog/server.properties is kept.
# INSTALL_ROOT is a directory that stands for / (for tests and for images).
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
checkout=$(dirname "$here")
# shellcheck source=scripts/corelog-env.sh
source "$here/corelog-env.sh"
root=${INSTALL_ROOT:-}

usage() { sed -n 's/^# \{0,1\}//; 2,11p' "$0" >&2; exit 2; }
prefix='' dry='' binary='' data=/var/lib/corelog user=corelog tune=yes uninstall=''
while [ $# -gt 0 ]; do
  case $1 in
    --prefix | --binary | --data | --user)
      [ $# -gt 1 ] || usage
      case $1 in --prefix) prefix=$2 ;; --binary) binary=$2 ;; --data) data=$2 ;; --user) user=$2 ;; esac
      shift ;;
    --dry-run) dry=yes ;;
    --no-tune) tune='' ;;
    --uninstall) uninstall=yes ;;
    *) usage ;;
  esac
  shift
done
case $prefix in /*) ;; *) usage ;; esac
case $data in /*) ;; *) usage ;; esac

share=$prefix/share/corelog
etc=/etc/corelog
unit=/etc/systemd/system/corelog.service

# does WHAT... : says it, and does it unless this is a dry run
does() {
  printf '  %s\n' "$*"
  [ -n "$dry" ] || "$@"
}

# put FILE TO MODE: copies beside the place and renames, so that a running binary is replaced whole
put() {
  does install -D -m "$3" "$1" "$root$2.new"
  does mv -f "$root$2.new" "$root$2"
}

make_user() {
  getent passwd "$user" >/dev/null && return
  if [ -n "$root" ] || [ "$(id -u)" -ne 0 ] || ! command -v useradd >/dev/null; then
    echo "  the user $user is not there and cannot be made here: create it before the first start"
  else
    does useradd --system --user-group --no-create-home --home-dir "$data" --shell /usr/sbin/nologin "$user"
  fi
}

own() { # own DIR: gives it to the user, where that can be
  if getent passwd "$user" >/dev/null && [ "$(id -u)" -eq 0 ]; then does chown "$user:" "$root$1"; fi
}

copy_files() {
  put "$binary" "$prefix/bin/corelog" 755
  local file
  for file in "$checkout"/scripts/kafka-*.sh "$checkout/scripts/corelog-env.sh" "$checkout/scripts/tune.sh" "$checkout/scripts/install.sh"; do
    put "$file" "$share/scripts/$(basename "$file")" 755
  done
  while IFS= read -r -d '' file; do
    put "$file" "$share/${file#"$checkout"/}" 644
  done < <(find "$checkout/tuning" -type f -print0 | sort -z)
  for file in "$checkout/README.md" "$checkout/LICENSE" "$checkout"/docs/*.md; do
    put "$file" "$share/doc/$(basename "$file")" 644
  done
  # The scripts find the binary beside themselves.
  does ln -sfn "$prefix/bin/corelog" "$root$share/scripts/corelog"
}

# changed FILE TO SED...: a copy with words replaced
changed() {
  local from=$1 to=$2; shift 2
  printf '  write %s\n' "$root$to"
  [ -n "$dry" ] || { mkdir -p "$(dirname "$root$to")"; sed "$@" "$from" >"$root$to"; }
}

verify() {
  local version failed=''
  version=$("$root$prefix/bin/corelog" --version) || { echo "the installed binary does not run" >&2; exit 1; }
  echo "installed: $version in $root$prefix/bin"
  if command -v systemd-analyze >/dev/null && [ -z "$root" ]; then
    systemd-analyze verify "$unit" || failed=yes
  fi
  "$root$prefix/bin/corelog" doctor --config "$root$etc/server.properties" | sed 's/^/  /' || [ "${PIPESTATUS[0]}" -eq 1 ] || failed=yes
  [ -z "$failed" ] || { echo "see above: the verification found something" >&2; exit 1; }
}

install_all() {
  [ -n "$binary" ] || binary=$(corelog_bin)
  [ -x "$binary" ] || { echo "$binary is no program" >&2; exit 1; }
  make_user
  copy_files
  does mkdir -p "$root$data"
  own "$data"
  if [ -e "$root$etc/server.properties" ]; then
    echo "  $root$etc/server.properties is kept"
  else
    changed "$checkout/tuning/server.properties" "$etc/server.properties" -e "s|^log.dirs=.*|log.dirs=$data|"
  fi
  changed "$checkout/tuning/systemd/corelog.service" "$unit" -e "s|/usr/local/bin/corelog|$prefix/bin/corelog|" \
    -e "s|/usr/local/share/doc/corelog|$share/doc|" -e "s|^User=.*|User=$user|" -e "s|^Group=.*|Group=$user|"
  if [ -n "$tune" ]; then
    TUNE_ROOT=$root "$here/tune.sh" apply ${dry:+--dry-run} | tail -3
  fi
  if [ -n "$dry" ]; then echo "nothing was changed"; return; fi
  if [ -z "$root" ] && command -v systemctl >/dev/null; then systemctl daemon-reload || true; fi
  verify
  cat <<NEXT
next:
  $share/scripts/kafka-storage.sh format --standalone -t \$($share/scripts/kafka-storage.sh random-uuid) -c $etc/server.properties
  chown -R $user: $data
  systemctl enable --now corelog
NEXT
}

uninstall_all() {
  if [ -z "$root" ] && command -v systemctl >/dev/null; then does systemctl disable --now corelog || true; fi
  if [ -n "$tune" ] && [ -x "$root$share/scripts/tune.sh" ]; then
    TUNE_ROOT=$root "$root$share/scripts/tune.sh" revert ${dry:+--dry-run} | tail -1
  fi
  does rm -f "$root$unit" "$root$prefix/bin/corelog"
  does rm -rf "$root$share"
  echo "kept: $root$etc, $root$data, the user $user"
}

if [ -n "$uninstall" ]; then uninstall_all; else install_all; fi
