#!/usr/bin/env bash
# Compares this machine with tuning/ and sets what deviates.
#   tune.sh check                 each value now and wanted; changes nothing, needs no rights
#   tune.sh apply  [--dry-run]    sets the kernel's values, installs sysctl.d and limits.d files; keeps what was before
#   tune.sh revert [--dry-run]    puts back what apply found
#   --strict                      check and apply end with 1 when something deviates afterwards
#   --lower                       apply also lowers maxima that are higher than wanted (else they stay)
# Applying twice changes nothing more, and revert still knows the values from before the first time.
# TUNE_ROOT is a directory that stands for / (for tests).
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
tuning=$(dirname "$here")/tuning
root=${TUNE_ROOT:-}
wanted=$tuning/sysctl.d/90-corelog.conf
sysctl_file=$root/etc/sysctl.d/90-corelog.conf
limits_file=$root/etc/security/limits.d/90-corelog.conf
state=$root/var/lib/corelog-tune
before=$state/before

usage() { echo "USAGE: $0 check|apply|revert [--dry-run] [--strict] [--lower]" >&2; exit 2; }
verb='' dry='' strict='' lower=''
for word in "$@"; do
  case $word in
    check | apply | revert) [ -z "$verb" ] || usage; verb=$word ;;
    --dry-run) dry=yes ;;
    --strict) strict=yes ;;
    --lower) lower=yes ;;
    *) usage ;;
  esac
done
[ -n "$verb" ] || usage

path_of() { echo "$root/proc/sys/${1//.//}"; }
# The present value with single blanks; nothing where the kernel has no such setting.
now_of() { local text; text=$(cat "$(path_of "$1")" 2>/dev/null) || return 0; echo "$text" | tr -s '\t ' '  '; }
last_of() { echo "${1##* }"; }

# settings: the wanted ones as lines `key value`
settings() { sed -n 's/^\([a-z0-9_.]*\) *= *\(.*[^ ]\) *$/\1 \2/p' "$wanted"; }

# fits KEY NOW WANTED: whether the present value will do
fits() {
  case $1 in
    vm.dirty_background_ratio) [ "$2" -gt 0 ] && [ "$2" -lt 10 ] ;;
    vm.dirty_ratio) [ "$2" -ge 60 ] && [ "$2" -le 80 ] ;;
    net.ipv4.tcp_rmem | net.ipv4.tcp_wmem)
      if [ -n "$lower" ]; then [ "$2" = "$3" ]; else [ "$(last_of "$2")" -ge "$(last_of "$3")" ]; fi ;;
    *_max | *backlog | net.core.somaxconn | vm.max_map_count)
      if [ -n "$lower" ]; then [ "$2" = "$3" ]; else [ "$2" -ge "$3" ]; fi ;;
    *) [ "$2" = "$3" ] ;;
  esac
}

# to_keep KEY: what revert must write back. A ratio is 0 while its *_bytes twin is in force, which is then the one.
to_keep() {
  local twin
  case $1 in
    vm.dirty_ratio | vm.dirty_background_ratio)
      twin=${1%_ratio}_bytes
      case $(now_of "$twin") in '' | 0) ;; *) echo "$twin $(now_of "$twin")"; return ;; esac ;;
  esac
  echo "$1 $(now_of "$1")"
}

# set_value KEY VALUE: writes it, or says that it cannot be
set_value() {
  if [ -n "$dry" ]; then return; fi
  if ! { echo "$2" >"$(path_of "$1")"; } 2>/dev/null; then
    printf '  %-34s cannot be set here (a container, or no rights)\n' "$1"
    return 1
  fi
}

line() { printf '  %-34s %-24s %-24s %s\n' "$@"; }

check_values() { # counts into deviating
  line setting now wanted ''
  local key value now
  while read -r key value; do
    now=$(now_of "$key")
    if [ -z "$now" ]; then line "$key" - "$value" "not on this kernel, or hidden from here"
    elif fits "$key" "$now" "$value"; then line "$key" "$now" "$value" "ok"
    else line "$key" "$now" "$value" "deviates"; deviating=$((deviating + 1)); fi
  done < <(settings)
}

check_tcp_maxima() { # a socket cannot ask for more than the core maximum, however high TCP's own goes
  local pair
  for pair in rmem wmem; do
    local tcp core
    tcp=$(last_of "$(now_of "net.ipv4.tcp_$pair")") core=$(now_of "net.core.${pair}_max")
    if [ -n "$tcp" ] && [ -n "$core" ] && [ "$tcp" -lt "$core" ]; then
      echo "  note: net.ipv4.tcp_$pair ends at $tcp, below net.core.${pair}_max=$core, which only an explicit buffer size reaches"
    fi
  done
}

check_machine() { # what is no sysctl
  local release major minor disabled files locked
  release=$(uname -r) major=${release%%.*} minor=${release#*.} minor=${minor%%[!0-9]*}
  if [ "$major" -gt 6 ] || { [ "$major" -eq 6 ] && [ "$minor" -ge 1 ]; }; then line "kernel" "$release" "6.1 or newer" ok
  else line "kernel" "$release" "6.1 or newer" "deviates"; deviating=$((deviating + 1)); fi
  disabled=$(now_of kernel.io_uring_disabled)
  case ${disabled:-0} in
    0) line "kernel.io_uring_disabled" "${disabled:--}" 0 ok ;;
    *) line "kernel.io_uring_disabled" "$disabled" 0 "deviates: sysctl -w kernel.io_uring_disabled=0"; deviating=$((deviating + 1)) ;;
  esac
  files=$(ulimit -Hn) locked=$(ulimit -Hl)
  if [ "$files" = unlimited ] || [ "$files" -ge 100000 ]; then line "open files (this shell)" "$files" "100000 or more" ok
  else line "open files (this shell)" "$files" "100000 or more" "see tuning/limits.d and the unit"; fi
  if [ "$locked" = unlimited ] || [ "$locked" -ge 8192 ]; then line "locked memory, KiB (this shell)" "$locked" "8192 or more" ok
  else line "locked memory, KiB (this shell)" "$locked" "8192 or more" "see tuning/limits.d and the unit"; fi
}

check() {
  deviating=0
  check_values
  check_tcp_maxima
  check_machine
  if [ "$deviating" -eq 0 ]; then echo "all as wanted"
  else echo "$deviating deviate; mend with: sudo $0 apply"; fi
  [ -z "$strict" ] || [ "$deviating" -eq 0 ]
}

# keep_file FILE NAME: what stood there before the first apply, if anything, goes to the state directory
keep_file() {
  [ -e "$state/$2.none" ] || [ -e "$state/$2.was" ] && return
  if [ -e "$1" ]; then cp -p "$1" "$state/$2.was"; else : >"$state/$2.none"; fi
}
# put_back FILE NAME
put_back() {
  if [ -e "$state/$2.was" ]; then cp -p "$state/$2.was" "$1"; rm "$state/$2.was"
  elif [ -e "$state/$2.none" ]; then rm -f "$1" "$state/$2.none"; fi
}

apply() {
  local key value now kept unset=0 lines=()
  [ -n "$dry" ] || mkdir -p "$state" "$(dirname "$sysctl_file")" "$(dirname "$limits_file")"
  while read -r key value; do
    now=$(now_of "$key")
    if [ -z "$now" ]; then line "$key" - "$value" "not on this kernel, or hidden from here"; continue; fi
    if fits "$key" "$now" "$value"; then
      line "$key" "$now" "$value" "stays"; lines+=("$key = $now"); continue
    fi
    kept=$(to_keep "$key")
    if ! set_value "$key" "$value"; then unset=$((unset + 1)); continue; fi
    line "$key" "$now" "$value" "${dry:+would be }set"; lines+=("$key = $value")
    [ -n "$dry" ] || grep -qs "^$key " "$before" || echo "$key $kept" >>"$before"
  done < <(settings)
  if [ -n "$dry" ]; then
    echo "  would write $sysctl_file and $limits_file"
  else
    keep_file "$sysctl_file" sysctl && keep_file "$limits_file" limits
    { echo "# Written by corelog's scripts/tune.sh apply; the reasons stand in tuning/sysctl.d."; printf '%s\n' "${lines[@]}"; } >"$sysctl_file"
    cp "$tuning/limits.d/90-corelog.conf" "$limits_file"
    echo "  written: $sysctl_file, $limits_file"
  fi
  [ "$unset" -eq 0 ] || echo "$unset could not be set: run this on the host, as root"
  [ -z "$strict" ] || [ "$unset" -eq 0 ]
}

revert() {
  local _ key value now left=0
  [ -e "$state" ] || { echo "nothing was applied"; return 0; }
  while read -r _ key value; do
    now=$(now_of "$key")
    if ! set_value "$key" "$value"; then left=1; continue; fi
    line "$key" "$now" "$value" "${dry:+would be }put back"
  done < <(cat "$before" 2>/dev/null)
  if [ -n "$dry" ]; then echo "  would put back $sysctl_file and $limits_file"; return; fi
  put_back "$sysctl_file" sysctl; put_back "$limits_file" limits
  [ "$left" -ne 0 ] || rm -rf "$state"
  echo "  put back: $sysctl_file, $limits_file"
}

$verb
