# Compares the environment with the settings of a driver; see check_settings of utils/driver.sh.
#
# In:  known   names of its settings, between spaces; others: those of other drivers
#      script  its name
#      rows in a file: NAME KIND ..., see utils/original_settings.txt
# Out: lines of fields between tabs, in any order
#        refuse TEXT | note TEXT | set SETTING NAME | flag SETTING FLAG NAME

BEGIN {
  # What other programs are known to set, though it looks like a setting.
  common = " WORKDIR PYTHON2 PYTHON3 "
}

/^[A-Z]/ {
  row = $0
  sub(/^[^ ]+ +[^ ]+ +/, "", row)
  for (i = split($1, names, ","); i > 0; i--) {
    is_original[names[i]] = 1
    if ($2 != "->") {
      kind[names[i]] = $2 == "!!" ? "refuse" : "note"
      text[names[i]] = row
    } else if (!(names[i] in target) && has(known, $3)) {
      target[names[i]] = $3
      flag[names[i]] = $4
    }
  }
}

END {
  OFS = "\t"
  for (name in ENVIRON)
    if (name ~ /^[A-Za-z][A-Za-z0-9_]*$/ && !has(known, name))
      judge(name)
}

function has(names, name) { return index(names, " " name " ") > 0 }

function judge(name,    near) {
  if (name in target && flag[name] == "") {
    if (ENVIRON[target[name]] != "" && ENVIRON[target[name]] != ENVIRON[name])
      print "refuse", name " is another name of " target[name] ", and both are given"
    else
      print "set", target[name], name
  } else if (ENVIRON[name] == "" && (name in is_original || has(others, name)))
    return
  else if (name in target)
    print "flag", target[name], flag[name], name
  else if (name in kind)
    print kind[name], name ": " text[name]
  else if (has(others, name))
    print "note", name " is a setting of another driver: " script " does not read it"
  else if (name in is_original)
    print "refuse", name ": " script " has nothing like it; sh " script " --help lists its settings"
  else if ((near = nearest(name, known)) != "")
    print (has(common, name) ? "note" : "refuse"), name " is no setting of " script \
      ". Did you mean " near "? Unset it if it is meant for another program"
  else if ((near = nearest(name, others)) != "")
    print "note", name ": " script " does not read it, nor " near ", a setting of another driver"
}

# Which of some names, or of the other names of settings, a name is nearly equal to, or nothing.
function nearest(name, names,    words, i, n, away, least, found) {
  n = split(names, words, " ")
  for (i in target) words[++n] = i
  least = 99
  for (i = 1; i <= n; i++) {
    away = distance(plain(name), plain(words[i]))
    if (away < least && is_near(plain(name), plain(words[i]), away)) {
      least = away
      found = words[i]
    }
  }
  return found
}

function plain(name) { gsub(/_/, "", name); return toupper(name) }

# One slip in a short word, two in a long one; short words begin alike.
function is_near(a, b, away) {
  if (away == 0) return length(b) > 3
  if (length(b) < 8) return away == 1 && length(b) > 4 && substr(a, 1, 1) == substr(b, 1, 1)
  # Two letters more at one end are another word: EXPERIMENT_ID.
  return away <= 2 && (away == 1 || (index(a, b) == 0 && index(b, a) == 0))
}

# Letters to leave out, put in, change or swap with the next until a is b.
function distance(a, b,    i, j, d, cost, least) {
  for (i = 0; i <= length(a); i++) d[i, 0] = i
  for (j = 0; j <= length(b); j++) d[0, j] = j
  for (i = 1; i <= length(a); i++)
    for (j = 1; j <= length(b); j++) {
      cost = substr(a, i, 1) != substr(b, j, 1)
      least = d[i - 1, j - 1] + cost
      if (d[i - 1, j] + 1 < least) least = d[i - 1, j] + 1
      if (d[i, j - 1] + 1 < least) least = d[i, j - 1] + 1
      if (i > 1 && j > 1 && d[i - 2, j - 2] + 1 < least && substr(a, i, 1) == substr(b, j - 1, 1) &&
          substr(a, i - 1, 1) == substr(b, j, 1))
        least = d[i - 2, j - 2] + 1
      d[i, j] = least
    }
  return d[length(a), length(b)]
}
