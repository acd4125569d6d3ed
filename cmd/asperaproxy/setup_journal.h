// setup_journal: what `asperaproxy setup` has done, so that it can be taken back, and a second run goes on from there.
// It is root's alone.
//
//   /var/lib/sallyport/setup/answers     what was answered the last time
//   /var/lib/sallyport/setup/journal     a record for each step that did something, the oldest first
//   /var/lib/sallyport/setup/3.before    a file as it was (none: it was not there)
//   /var/lib/sallyport/setup/3.after     and as the step left it (none: it was killed before)
//   /var/lib/sallyport/before-setup/etc/ssh/authorized_keys/bear    a file as it was before all of that, for people
//
// A record:
//
//   step=sshd
//   file=3 /etc/ssh/sshd_config.d/sallyport.conf
//   undo=/usr/bin/systemctl reload ssh
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "setup_answers.h"
#include "setup_host.h"

namespace asperaproxy::setup {

struct Kept {
  unsigned number;
  std::string path;
};

struct Entry {
  std::string step;
  std::vector<Kept> files;
  std::vector<std::vector<std::string>> undo;  // programs to run; no word of theirs has a blank in it
};

class Journal {
 public:
  // Makes nothing that is not there. Failure{65} when it cannot be understood, {71}; {75}: another setup runs.
  Journal();

  const Answers& answers() const { return answers_; }
  void remember(const Answers& answers);

  const std::vector<Entry>& entries() const { return entries_; }
  // After remember(): a step begins, which will change these files: keeps them as they are. Of each that is there, the
  // first time, a copy for people is left below before-setup.
  void begin(const std::string& step, const std::vector<std::string>& files,
             const std::vector<std::vector<std::string>>& undo);
  // The last step has written that one of its files: keeps it as it is now, since the step may yet be killed.
  void written(const std::string& path);
  // The last step is done: keeps the files as they are now.
  void finish();
  // Takes the last step back. Returns what could not be, a line each: a file that somebody has changed since is left
  // as it is.
  std::vector<std::string> take_back();

  // What the file at `path` would be without what setup wrote there since somebody else did.
  Text original(const std::string& path) const;
  // True if the file is what setup wrote.
  bool wrote(const std::string& path) const;

  // Nothing is left of it. To be called when there are no entries.
  void forget();

 private:
  void own();  // folder and lock
  void save() const;
  std::optional<std::string> restore(const Kept& kept) const;

  Fd lock_;
  Answers answers_;
  std::vector<Entry> entries_;
};

}  // namespace asperaproxy::setup
