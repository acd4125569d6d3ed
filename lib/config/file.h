// config/file: aspera.conf, and the users of the node API, replaced as a whole,
// by one program at a time.
//
//   config::file::Locked file("/opt/aspera/proxy/etc/aspera.conf");
//   file.replace(changed(file.text()));
//
//   aspera.conf            symbolic links are followed to the real file
//   aspera.conf.bak        the version before the last change
//   aspera.conf.lock       locked (flock) by the program that changes the file; gone afterwards
//   .aspera.conf.new       being written; renamed to aspera.conf
//   .aspera.conf.bak.new   being written; renamed to aspera.conf.bak
//
// Readers need no lock: at any time the name leads to a whole version. Every program
// that changes the file takes the lock, except editors that people use. The files
// being written have fixed names, so the next program replaces what a killed one
// left. The lock is not on aspera.conf itself, since a rename would replace the locked
// file. It is not on the directory, since any user could lock that.
#pragma once

#include <sys/stat.h>

#include <string>

#include "base/fd.h"

namespace config::file {

// Holds the lock while it exists.
class Lock {
 public:
  // Waits at most 10 s for the lock (Failure{75}). Failure{77}: no right to change the file; {78}: its
  // directory is not there.
  explicit Lock(const std::string& path);
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock();

  const std::string& path() const { return path_; }
  // The directory of the real file.
  int directory() const { return directory_.get(); }
  const std::string& name() const { return name_; }

  // Replaces the file with `text`, with that owner, group and mode. Fails as Locked::replace does.
  void replace(const std::string& text, uid_t owner, gid_t group, mode_t mode) const;

 private:
  void take();

  std::string path_;  // for messages
  std::string name_;  // within the directory
  Fd directory_;
  Fd lock_;
};

// The lock, and the version of the file when the lock was taken.
class Locked {
 public:
  // A file that is not there counts as one with the text `otherwise`. Fails as Lock does. Failure{78}, too,
  // when the file cannot be read, is not a regular file, or is larger than config::xml::kMaxBytes.
  Locked(const std::string& path, const std::string& otherwise);

  const std::string& text() const { return text_; }
  bool is_new() const { return is_new_; }
  mode_t mode() const { return status_.st_mode & 07777; }

  // The old version becomes .bak. The new one has its owner, mode, ACL and SELinux label (a new file: the
  // caller's, 0644). Both are on the disk before the name leads to the new one. The old version stays on every
  // failure: Failure{74} cannot be written, {77} no right, {71} something else, {75} changed by somebody else
  // since it was read.
  void replace(const std::string& text);

 private:
  void read(const std::string& otherwise);
  void check_unchanged() const;
  void write_beside(const std::string& name, const std::string& text) const;
  void keep_attributes(int fd, const std::string& name) const;

  Lock lock_;
  Fd file_;
  struct stat status_ {};
  std::string text_;
  bool is_new_ = false;
};

}  // namespace config::file
