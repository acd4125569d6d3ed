// target: where received files go. Nothing is ever written outside the directory that was opened for
// it. No file appears under its own name before it is complete and its digest is right.
//
// While it arrives, `report.pdf` is `.report.pdf.asp-part` in the same directory, locked by its
// writer. It stays there when a transfer breaks off, and the next one for the same name continues it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/rooted.h"
#include "digest.h"
#include "protocol.h"

namespace asp_cp {

// Throws Failure{77} for EACCES and EPERM, else {74}: "verb object: why".
[[noreturn]] void fail_file(const std::string& verb_and_object);

// Opens `path` as open(2) does, or, with a `root`, as it is seen from there. No descriptor: errno says why.
Fd open_path(const std::string& path, int flags, const Rooted* root);

// `report.pdf` -> `.report.pdf.asp-part`; a name that would be too long is cut and made unique by its
// digest.
std::string partial_name(const std::string& name);

// The directory that files are put into.
class Target {
 public:
  // `path` comes from the user: an existing directory, or a new name for the single source in an existing
  // directory. Empty: the working directory. Failure{74, 77}.
  // `root`: what stands for /; nullptr: nothing does.
  static Target open(const std::string& path, bool must_be_directory, const Rooted* root = nullptr);

  struct Slot {
    Fd directory;
    std::string name;
    std::string shown;  // for messages
  };
  // The place of `path` (in split_path's form); its directories must exist and be real ones, not symbolic
  // links.
  Slot place(const std::string& path) const;
  // Creates the directory unless it exists. Its owner may always write into it.
  void make_directory(const DirectoryHead& head) const;

 private:
  Fd directory_;
  std::string shown_;
  std::optional<std::string> name_;  // replaces the first component
};

// One file that is being received.
class Incoming {
 public:
  // Opens and locks the partial file. Failure{74, 77}; {75} when another
  // transfer is writing it.
  Incoming(Target::Slot slot, const FileHead& head);

  // What an earlier transfer left, with its digest. `tick` is called every now and then, and may throw.
  Have examine(const std::function<void()>& tick);
  // Continues at `offset`: the size from examine(), or 0. Failure{65} otherwise. Reserves the space, so that a
  // full disk is noticed at once.
  void start(std::uint64_t offset);
  void write(const char* bytes, std::size_t count);
  std::uint64_t position() const { return position_; }
  // Moves the file to its place when it is complete and `sha256` is its digest. Otherwise Failure{76}, and the
  // partial file is gone.
  void finish(const std::string& sha256);
  // Removes the partial file.
  void discard();
  const std::string& shown() const { return slot_.shown; }

 private:
  void open_partial();
  bool try_open();

  Target::Slot slot_;
  FileHead head_;
  std::string partial_;
  Fd file_;
  bool readable_ = false;
  Sha256 digest_;
  std::uint64_t examined_ = 0;
  std::uint64_t position_ = 0;
};

}  // namespace asp_cp
