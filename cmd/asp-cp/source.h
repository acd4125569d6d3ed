// source: files and directories to send, read through the descriptor that was examined.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/rooted.h"

namespace asp_cp {

class Source {
 public:
  // Follows symbolic links, with a `root` as they are seen from there. Failure{74, 77}: unreadable, or neither a
  // file nor a directory. It never waits for a pipe or device.
  static Source open(const std::string& path, const Rooted* root = nullptr);
  // Opens an entry of an opened directory. A symbolic link to a directory is Failure{74}, so no tree is
  // endless.
  static Source open_in(const Source& directory, const std::string& name, const Rooted* root = nullptr);

  bool directory() const { return directory_; }
  std::uint64_t size() const { return size_; }
  unsigned mode() const { return mode_; }  // permission bits, without set-id and sticky
  std::timespec mtime() const { return mtime_; }
  const std::string& shown() const { return shown_; }

  // Names in a directory, sorted, without "." and "..".
  std::vector<std::string> names() const;
  // Up to `count` bytes at `offset`; 0 at the end of the file. Failure{74}.
  std::size_t read(char* into, std::size_t count, std::uint64_t offset) const;
  // True if size or time of modification differ from when it was opened.
  bool changed() const;

 private:
  static Source examine(Fd fd, const std::string& shown);

  Fd fd_;
  bool directory_ = false;
  std::uint64_t size_ = 0;
  unsigned mode_ = 0;
  std::timespec mtime_{};
  std::string shown_;
};

}  // namespace asp_cp
