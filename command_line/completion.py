"""Scripts that complete subcommands, flags and values of flags in shells.

They hold all words themselves: no Python runs when a key is pressed. The words are those of
flag_listing.json, which is there without TensorFlow. `make_flag_listing.py` writes it anew, after
flags have changed; a test tells when that is due.
"""
import functools
import json
import os

LISTING_PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'flag_listing.json')
# Kinds of flags. Those that take one of several values have the list of them instead.
BOOLEAN, VALUE = 'boolean', 'value'

# Flags of the libraries that are worth completing.
_LIBRARY_FLAGS = ('--flagfile=', '--help', '--helpfull', '--verbosity=')

# $1: subcommand; prints its flags. $1, $2: subcommand, flag; prints the values it takes.
_TABLES = """
__deeplab_flags() {
  case "$1" in
%(flags)s
  esac
}

__deeplab_values() {
  case "$1 $2" in
%(values)s
  esac
}
"""

# Bash splits words at = as long as that is in COMP_WORDBREAKS, which users can change.
_BASH = """# Completion of `deeplab` in bash: source <(deeplab completion bash)
%(tables)s
_deeplab() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
  local subcommand=${COMP_WORDS[1]} flag= prefix= words=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "%(words)s" -- "$current"))
    return
  fi
  if [ "$current" = = ]; then
    flag=$previous current=
  elif [ "$previous" = = ]; then
    flag=${COMP_WORDS[COMP_CWORD-2]}
  elif [[ $current == --*=* ]]; then
    flag=${current%%%%=*} prefix=${current%%%%=*}= current=${current#*=}
  fi
  if [ -n "$flag" ]; then
    words=$(__deeplab_values "$subcommand" "$flag")
    if [[ $current == *,* ]]; then
      prefix=$prefix${current%%,*}, current=${current##*,}
    fi
  elif [[ $current == -* ]]; then
    words=$(__deeplab_flags "$subcommand")
  elif [ "$COMP_CWORD" -eq 2 ]; then
    case $subcommand in
      help) words="%(subcommands)s" ;;
      completion) words="%(shells)s" ;;
    esac
  fi
  COMPREPLY=($(compgen -P "$prefix" -W "$words" -- "$current"))
  if [[ ${COMPREPLY[0]-} == *= ]]; then
    compopt -o nospace 2>/dev/null
  fi
}
complete -o bashdefault -o default -F _deeplab deeplab
"""

_ZSH = """#compdef deeplab
# Completion of `deeplab` in zsh: source <(deeplab completion zsh), after compinit
%(tables)s
_deeplab() {
  local subcommand=${words[2]} current=${words[CURRENT]} found
  if (( CURRENT == 2 )); then
    local -a rows=(
%(rows)s
    )
    _describe subcommand rows
    return
  fi
  if [[ $current == --*=* ]]; then
    found=$(__deeplab_values "$subcommand" "${current%%%%=*}")
    compset -P '*='
    compset -P '*,'
    [[ -n $found ]] && compadd -- ${=found} || _files
  elif [[ $current == -* ]]; then
    found=$(__deeplab_flags "$subcommand")
    local -a flags=(${=found})
    compadd -S '' -- ${(M)flags:#*=}
    compadd -- ${flags:#*=}
  elif (( CURRENT == 3 )) && [[ $subcommand == help ]]; then
    compadd -- %(subcommands)s
  elif (( CURRENT == 3 )) && [[ $subcommand == completion ]]; then
    compadd -- %(shells)s
  else
    _files
  fi
}
if [[ ${funcstack[1]} == _deeplab ]]; then
  _deeplab "$@"
else
  compdef _deeplab deeplab
fi
"""

_FISH = """# Completion of `deeplab` in fish: deeplab completion fish | source
complete -c deeplab -f -n __fish_use_subcommand
%s
"""


def read_listing():
  """Returns dict, subcommand -> dict, flag -> BOOLEAN, VALUE or the list of its values."""
  with open(LISTING_PATH, encoding='utf-8') as f:
    return json.load(f)


def _tables(listing):
  """Returns the functions of the words, in what bash and zsh have in common."""
  rows = []
  for name, flags in sorted(listing.items()):
    words = []
    for flag, kind in sorted(flags.items()):
      words += (['--' + flag, '--no' + flag] if kind == BOOLEAN
                else ['--%s=' % flag])
    rows.append((name, words + list(_LIBRARY_FLAGS)))
  values = [('"%s --%s"' % (name, flag), kind) for name, flags in sorted(listing.items())
            for flag, kind in sorted(flags.items()) if isinstance(kind, list)]
  return _TABLES % {'flags': _cases(rows), 'values': _cases(values)}


def _cases(rows):
  """Returns the branches of a `case`: pattern -> words to print."""
  return '\n'.join("    %s) echo '%s' ;;" % (pattern, ' '.join(words)) for pattern, words in rows)


def _fish(summaries, listing):
  lines = ["complete -c deeplab -n __fish_use_subcommand -a %s -d '%s'" % row
           for row in summaries.items()]
  lines += ["complete -c deeplab -f -n '__fish_seen_subcommand_from %s' -a '%s'" % row for row in
            (('help', ' '.join(listing)), ('completion', ' '.join(SHELLS)))]
  for name, flags in sorted(listing.items()):
    start = "complete -c deeplab -n '__fish_seen_subcommand_from %s' -l " % name
    for flag, kind in sorted(flags.items()):
      if kind == BOOLEAN:
        lines += [start + flag, start + 'no' + flag]
      elif kind == VALUE:
        lines.append(start + flag + ' -r')
      else:
        lines.append(start + "%s -x -a '%s'" % (flag, ' '.join(kind)))
    for flag in _LIBRARY_FLAGS:
      lines.append(start + flag.strip('-=') + (' -r' if flag.endswith('=') else ''))
  return _FISH % '\n'.join(lines)


def _filled(template, summaries, listing):
  """Returns a script of bash or zsh."""
  return template % {
      'tables': _tables(listing), 'words': ' '.join(summaries), 'subcommands': ' '.join(listing),
      'rows': '\n'.join("      '%s:%s'" % row for row in summaries.items()),
      'shells': ' '.join(SHELLS)}


# Shell -> function from the summaries of the words after `deeplab` and from
# `read_listing` to the text of a script.
SHELLS = {'bash': functools.partial(_filled, _BASH), 'zsh': functools.partial(_filled, _ZSH),
          'fish': _fish}
