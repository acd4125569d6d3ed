// target: where received files go. Nothing is ever written outside the
// directory that was opened for it, and no file appears under its own name
// before all of it is there and its digest is right.
//
// While it arrives, `report.pdf` is `.report.pdf.asp-part` in the same
// directory, locked by its writer. It stays there when a transfer breaks off,
// and the next one for the same name goes on from it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "digest.h"
#include "protocol.h"

namespace asp_cp {

// Throws Failure{77} for EACCES and EPERM, else {74}: "verb object: why".
[[noreturn]] void fail_file(const std::string& verb_and_object);

// `report.pdf` -> `.report.pdf.asp-part`; a name too long for that is cut and
// made unique by its digest.
std::string partial_name(const std::string& name);

// The directory that files are put into.
class Target {
 public:
  // `path` is what the user gave: an existing directory, or the name that the
  // one thing to come shall have in an existing directory (its parent). Empty:
  // the working directory. Failure{74, 77}.
  static Target open(const std::string& path, bool must_be_directory);

  struct Slot {
    Fd directory;
    std::string name;
    std::string shown;  // for messages
  };
  // Where `path` (split_path's kind) belongs; its directories must be there
  // and be real ones, not symbolic links.
  Slot place(const std::string& path) const;
  // Creates it unless it is there. The owner may always write into it.
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

  // What an earlier transfer left, with its digest. `tick` is called now and
  // then, and may throw.
  Have examine(const std::function<void()>& tick);
  // Goes on from `offset`: what examine() said, or 0. Failure{65} otherwise.
  // Reserves the space, so that a full disk is known at once.
  void start(std::uint64_t offset);
  void write(const char* bytes, std::size_t count);
  std::uint64_t position() const { return position_; }
  // Puts the file in its place when it is complete and `sha256` is its digest;
  // Failure{76} when not, and the partial file is gone then.
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
  Sha256 digest_;
  std::uint64_t examined_ = 0;
  std::uint64_t position_ = 0;
};

}  // namespace asp_cp
