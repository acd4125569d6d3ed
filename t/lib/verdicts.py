"""verdicts.py: TAP (the Test Anything Protocol) for checks of the source in Python, at the top of its tree.

  sys.path.insert(0, sys.path[0] + "/../lib")
  from verdicts import done, ok
  ok(not missing, "the page has each option", missing)   # what is wrong is shown where it does not pass
  done()
"""
import os

os.chdir(os.path.dirname(os.path.realpath(__file__)) + "/../..")
count = 0


def ok(passed, name, why=()):
    global count
    count += 1
    print(f"{'' if passed else 'not '}ok {count} - {name}")
    for line in why if not passed else ():
        print("#", line)


def done():
    print(f"1..{count}")
