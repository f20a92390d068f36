# Fetches and unpacks the archives of public datasets; sourced, from the root of the project:
#
#     . datasets/download.sh
#     download URL FILE md5|sha1|sha256 CHECKSUM
#     unpack FILE FOLDER
#
# In:  rerun               the command to run again, for messages
#      DOWNLOAD_ATTEMPTS   how often a download is tried (3)
#      DOWNLOAD_WAIT_SECS  pause after the first failure, doubled after each further one (2)
# Out: functions return 1 after a message on stderr.

# Fetches $1 into the file $2, whose checksum of kind $3 is $4. What is there is kept: the
# whole file, or the part of it in $2.part.
download() {
  if [ -f "$2" ]; then
    has_checksum "$2" "$3" "$4" && return 0
    echo "$2 is not the file wanted ($3 is not $4): kept as $2.bad" >&2
    mv "$2" "$2.bad"
  fi
  download_wait=${DOWNLOAD_WAIT_SECS:-2}
  download_left=${DOWNLOAD_ATTEMPTS:-3}
  mkdir -p "$(dirname "$2")" || return 1
  while :; do
    finish_download "$2" "$3" "$4" && return 0
    echo "== downloading $1" >&2
    if fetch "$1" "$2.part"; then
      finish_download "$2" "$3" "$4" && return 0
      if [ -f "$2.part" ]; then
        echo "download: wrong $3 of $1: expected $4, got $(checksum_of "$3" "$2.part")" >&2
        rm -f "$2.part"
      fi
    fi
    # wget makes the file before it knows of one.
    [ -s "$2.part" ] || rm -f "$2.part"
    download_left=$((download_left - 1))
    [ "$download_left" -gt 0 ] || break
    echo "download: next attempt in $download_wait s" >&2
    sleep "$download_wait"
    download_wait=$((download_wait * 2))
  done
  cat >&2 <<MESSAGE
error: $1 could not be downloaded.
Without network access here:
  1. fetch $1 elsewhere
  2. put it at $2 ($3 $4)
  3. run again: ${rerun:-$0}
MESSAGE
  return 1
}

# Makes $1.part the file $1 if its checksum of kind $2 is $3.
finish_download() {
  [ -f "$1.part" ] && has_checksum "$1.part" "$2" "$3" && mv "$1.part" "$1"
}

# Fetches $1 into the file $2, after what is there. What a server cannot continue is removed.
fetch() {
  if command -v curl >/dev/null 2>&1; then
    if [ -t 2 ]; then fetch_look=--progress-bar; else fetch_look='--silent --show-error'; fi
    fetch_status=0
    # Looks are a list of words on purpose.
    # shellcheck disable=SC2086
    fetch_code=$(curl --fail --location $fetch_look --connect-timeout 30 --speed-time 60 \
      --speed-limit 1 --continue-at - --output "$2" --write-out '%{http_code}' "$1") ||
      fetch_status=$?
    # 33: the server knows no ranges. 36 and 416: the range begins behind the end.
    case $fetch_status/$fetch_code in 33/* | 36/* | */416) rm -f "$2" ;; esac
    return "$fetch_status"
  elif command -v wget >/dev/null 2>&1; then
    if [ -t 2 ]; then fetch_look=--show-progress; else fetch_look=--no-verbose; fi
    wget "$fetch_look" --continue --tries=1 --timeout=60 --output-document="$2" "$1"
  else
    echo "download: neither curl nor wget is installed" >&2
    return 1
  fi
}

# Whether the checksum of kind $2 of the file $1 is $3.
has_checksum() { [ "$(checksum_of "$2" "$1")" = "$3" ]; }

# Prints the checksum of kind $1 of the file $2.
checksum_of() {
  if command -v "$1sum" >/dev/null 2>&1; then
    "$1sum" < "$2" | cut -d ' ' -f 1
  else
    openssl dgst "-$1" < "$2" | sed 's/.* //'
  fi
}

# Unpacks the archive $1 into the folder $2.
unpack() {
  echo "== unpacking $1" >&2
  "$PYTHON" datasets/building/unpack.py "$1" "$2"
}

# Whether $2, which the archive $1 brings, is all there in the folder $3.
is_unpacked() { [ -e "$3/$2" ] && [ ! -e "$3/.unpacking-$(basename "$1")" ]; }
