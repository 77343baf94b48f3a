#!/usr/bin/env bash
# Stops corelog, with the flags of Apache Kafka's script of this name: sends SIGTERM (or $SIGNAL) to every broker of
# this machine, or only to those with that role or node id.
#   kafka-server-stop.sh [--process-role broker|controller] [--node-id ID]
set -euo pipefail
signal=${SIGNAL:-TERM} role='' node_id=''
while [ $# -gt 0 ]; do
  case $1 in
    --process-role=*) role=${1#*=}; shift ;;
    --node-id=*) node_id=${1#*=}; shift ;;
    --process-role) role=${2:?a role}; shift 2 ;;
    --node-id) node_id=${2:?a node id}; shift 2 ;;
    *) echo "USAGE: $0 [--process-role=broker|controller] [--node-id=ID]" >&2; exit 1 ;;
  esac
done

# value_of PID KEY DEFAULT: what a running broker's command line, or its properties file, says of a key
value_of() {
  local words=() word value='' file='' take=''
  mapfile -d '' -t words <"/proc/$1/cmdline"
  for word in "${words[@]:1}"; do
    case $take:$word in
      :--override) take=yes ;;
      yes:"$2="*) value=${word#*=}; take='' ;;
      yes:*) take='' ;;
      :--override="$2="*) value=${word#*=*=} ;;
      :--*) ;;
      *) file=$word ;;
    esac
  done
  if [ -z "$value" ] && [ -n "$file" ]; then
    case $file in /*) ;; *) file=/proc/$1/cwd/$file ;; esac
    value=$(sed -n "s/^[[:space:]]*${2//./\\.}[[:space:]]*[=:][[:space:]]*//p" "$file" 2>/dev/null | tail -1) || value=''
  fi
  echo "${value:-$3}"
}

# A broker: the program is called corelog and was given options or a properties file, not a tool's name.
is_broker() {
  local words=() file
  [ "$(cat "/proc/$1/comm" 2>/dev/null)" = corelog ] || return 1
  mapfile -d '' -t words <"/proc/$1/cmdline" 2>/dev/null || return 1
  case ${words[1]:-} in
    '' | -*) ;;
    /*) [ -f "${words[1]}" ] ;;
    *) file=/proc/$1/cwd/${words[1]}; [ -f "$file" ] ;;
  esac
}

stopped=0
for proc in /proc/[0-9]*; do
  pid=${proc#/proc/}
  is_broker "$pid" || continue
  [ -z "$node_id" ] || [ "$(value_of "$pid" node.id 1)" = "$node_id" ] || continue
  if [ -n "$role" ]; then
    case ,$(value_of "$pid" process.roles broker,controller), in *",$role,"*) ;; *) continue ;; esac
  fi
  kill -s "$signal" "$pid" && stopped=$((stopped + 1))
done
[ "$stopped" -gt 0 ] || { echo "No kafka server to stop" >&2; exit 1; }
