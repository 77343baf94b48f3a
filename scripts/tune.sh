#!/usr/bin/env bash
# Compares this machine with tuning/ and sets what deviates.
#   tune.sh check                 each value now and wanted; changes nothing, needs no rights
#   tune.sh apply  [--dry-run]    sets the kernel's values, installs sysctl.d and limits.d files; keeps what was before
#   tune.sh revert [--dry-run]    puts back what apply found
#   --strict                      check and apply end with 1 when something deviates afterwards
#   --lower                       apply also lowers maxima that are higher than wanted (else they stay)
#   --profile large-memory        bytes instead of ratios for dirty pages (tuning/profiles); apply remembers the profile
#   --interface NAME              also: spread the network card's interrupts and RPS over --irq-cpus
#   --irq-cpus LIST               CPUs for that, for example 0-1: those that corelog.cores leaves free
# Applying twice changes nothing more, and revert still knows the values from before the first time.
# TUNE_ROOT is a directory that stands for / (for tests).
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
tuning=$(dirname "$here")/tuning
root=${TUNE_ROOT:-}
wanted=$tuning/sysctl.d/90-corelog.conf
sysctl_file=$root/etc/sysctl.d/90-corelog.conf
limits_file=$root/etc/security/limits.d/90-corelog.conf
udev_file=$root/etc/udev/rules.d/60-corelog.rules
boot_file=$root/etc/tmpfiles.d/corelog.conf
state=$root/var/lib/corelog-tune
before=$state/before

usage() { echo "USAGE: $0 check|apply|revert [--dry-run] [--strict] [--lower] [--profile large-memory] [--interface NAME --irq-cpus LIST]" >&2; exit 2; }
verb='' dry='' strict='' lower='' profile='' interface='' irq_cpus=''
while [ $# -gt 0 ]; do
  word=$1; shift
  case $word in
    --profile | --interface | --irq-cpus)
      [ $# -gt 0 ] || usage
      case $word in --profile) profile=$1 ;; --interface) interface=$1 ;; --irq-cpus) irq_cpus=$1 ;; esac
      shift ;;
    check | apply | revert) [ -z "$verb" ] || usage; verb=$word ;;
    --dry-run) dry=yes ;;
    --strict) strict=yes ;;
    --lower) lower=yes ;;
    *) usage ;;
  esac
done
[ -n "$verb" ] || usage
[ -n "$interface" ] && [ -z "$irq_cpus" ] && usage
# The profile that was applied, unless another is asked for.
[ -n "$profile" ] || profile=$(cat "$state/profile" 2>/dev/null) || profile=default
case $profile in
  default) extra='' ;;
  *) extra=$tuning/profiles/$profile.conf; [ -e "$extra" ] || { echo "there is no profile $profile in $tuning/profiles" >&2; exit 2; } ;;
esac

# A key is a sysctl's name, or a path below /sys or /proc.
path_of() { case $1 in /*) echo "$root$1" ;; *) echo "$root/proc/sys/${1//.//}" ;; esac; }
# The present value with single blanks; of a choice, what is chosen; nothing where the kernel has no such setting.
now_of() {
  local text
  text=$(cat "$(path_of "$1")" 2>/dev/null) || return 0
  case $1:$text in /*:*\[*\]*) text=${text#*\[} text=${text%%\]*} ;; esac
  echo "$text" | tr -s '\t ' '  '
}
last_of() { echo "${1##* }"; }

lines_of() { sed -n 's/^\([a-z0-9_.]*\) *= *\(.*[^ ]\) *$/\1 \2/p' "$1"; }

# settings: the wanted ones as lines `key value`
settings() {
  local key value path
  while read -r key value; do # a profile's bytes stand in place of the ratios
    [ -n "$extra" ] && lines_of "$extra" | grep -q "^${key%_ratio}_bytes " || echo "$key $value"
  done < <(lines_of "$wanted")
  [ -z "$extra" ] || lines_of "$extra"
  # What is no sysctl: each file that the patterns in tmpfiles.d stand for.
  while read -r _ path _ _ _ _ value; do
    for path in $root$path; do [ -e "$path" ] && echo "${path#"$root"} $value"; done
  done < <(grep '^w ' "$tuning/tmpfiles.d/corelog.conf")
  [ -z "$interface" ] || network_settings
}

# The interrupts of a network card go to the CPUs given, and so does the work that follows from its packets.
network_settings() {
  local irq queue
  for irq in "$root/sys/class/net/$interface/device/msi_irqs/"*; do
    [ -e "$irq" ] && echo "/proc/irq/${irq##*/}/smp_affinity_list $irq_cpus"
  done
  for queue in "$root/sys/class/net/$interface/queues/rx-"*; do
    [ -e "$queue/rps_cpus" ] && echo "${queue#"$root"}/rps_cpus $(mask_of "$irq_cpus")"
  done
  return 0
}

# mask_of LIST: 0-1,4 as the kernel's hexadecimal mask (13), in groups of 32 bits
mask_of() {
  local part first last cpu words=() i out=''
  for part in ${1//,/ }; do
    first=${part%-*} last=${part#*-}
    for ((cpu = first; cpu <= last; cpu++)); do words[cpu / 32]=$((${words[cpu / 32]:-0} | 1 << cpu % 32)); done
  done
  i=${!words[*]} i=${i##* }
  printf -v out '%x' "${words[i]}"
  while ((i-- > 0)); do printf -v out '%s,%08x' "$out" "${words[i]:-0}"; done
  echo "$out"
}

# same_mask A B: whether two masks mean the same, whatever zeros stand before
same_mask() { [ "$(tr -d , <<<"$1" | sed 's/^0*//')" = "$(tr -d , <<<"$2" | sed 's/^0*//')" ]; }

# fits KEY NOW WANTED: whether the present value will do
fits() {
  case $1 in
    vm.dirty_background_ratio) [ "$2" -gt 0 ] && [ "$2" -lt 10 ] ;;
    vm.dirty_ratio) [ "$2" -ge 60 ] && [ "$2" -le 80 ] ;;
    net.ipv4.tcp_rmem | net.ipv4.tcp_wmem)
      if [ -n "$lower" ]; then [ "$2" = "$3" ]; else [ "$(last_of "$2")" -ge "$(last_of "$3")" ]; fi ;;
    */rps_cpus) same_mask "$2" "$3" ;;
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
    vm.dirty_bytes | vm.dirty_background_bytes)
      twin=${1%_bytes}_ratio
      case $(now_of "$twin") in '' | 0) ;; *) echo "$twin $(now_of "$twin")"; return ;; esac ;;
  esac
  echo "$1 $(now_of "$1")"
}

# set_value KEY VALUE: writes it, or says that it cannot be
set_value() {
  if [ -n "$dry" ]; then return; fi
  if ! { echo "$2" >"$(path_of "$1")"; } 2>/dev/null; then
    printf '  %-48s cannot be set here (a container, or no rights)\n' "$1"
    return 1
  fi
}

line() { printf '  %-48s %-20s %-20s %s\n' "$@"; }

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
  if [ -z "$dry" ] && [ -e "$state/profile" ] && [ "$(cat "$state/profile")" != "$profile" ]; then
    revert >/dev/null # another profile was in force: what was before it counts
  fi
  [ -n "$dry" ] || mkdir -p "$state" "$(dirname "$sysctl_file")" "$(dirname "$limits_file")" "$(dirname "$udev_file")" "$(dirname "$boot_file")"
  while read -r key value; do
    now=$(now_of "$key")
    if [ -z "$now" ]; then line "$key" - "$value" "not on this kernel, or hidden from here"; continue; fi
    if fits "$key" "$now" "$value"; then
      line "$key" "$now" "$value" "stays"; case $key in /*) ;; *) lines+=("$key = $now") ;; esac; continue
    fi
    kept=$(to_keep "$key")
    if ! set_value "$key" "$value"; then unset=$((unset + 1)); continue; fi
    line "$key" "$now" "$value" "${dry:+would be }set"; case $key in /*) ;; *) lines+=("$key = $value") ;; esac
    [ -n "$dry" ] || grep -qs "^$key " "$before" || echo "$key $kept" >>"$before"
  done < <(settings)
  if [ -n "$dry" ]; then
    echo "  would write $sysctl_file, $limits_file, $udev_file and $boot_file"
  else
    keep_file "$sysctl_file" sysctl && keep_file "$limits_file" limits
    keep_file "$udev_file" udev && keep_file "$boot_file" boot
    echo "$profile" >"$state/profile"
    { echo "# Written by corelog's scripts/tune.sh apply; the reasons stand in tuning/sysctl.d."; printf '%s\n' "${lines[@]}"; } >"$sysctl_file"
    cp "$tuning/limits.d/90-corelog.conf" "$limits_file"
    cp "$tuning/udev/60-corelog.rules" "$udev_file"
    cp "$tuning/tmpfiles.d/corelog.conf" "$boot_file"
    echo "  written: $sysctl_file, $limits_file, $udev_file (in force after udevadm trigger or a boot), $boot_file"
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
  if [ -n "$dry" ]; then echo "  would put back $sysctl_file, $limits_file, $udev_file and $boot_file"; return; fi
  put_back "$sysctl_file" sysctl; put_back "$limits_file" limits
  put_back "$udev_file" udev; put_back "$boot_file" boot
  [ "$left" -ne 0 ] || rm -rf "$state"
  echo "  put back: $sysctl_file, $limits_file, $udev_file, $boot_file"
}

$verb
