// progress: what a person sees of a transfer on the terminal, in the manner of
// scp(1). It also determines the client's exit status.
//
//   report.pdf                       42%   84.0 MB   61.2 MB/s   00:02 ETA
#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <tuple>

#include "channels.h"

namespace asp_cp {

// "512 B", "84.0 MB": powers of ten, as for network rates.
std::string amount(double bytes);

// Exactly `width` columns (at least 40); `name` is escaped and cut to fit.
// `seconds` is the time so far, in which `fresh` bytes came.
std::string progress_line(const std::string& name, std::uint64_t done, std::uint64_t size, std::uint64_t fresh,
                          double seconds, std::size_t width);

// What the attempts of one run have brought so far.
class Brought {
 public:
  void add(const FileHead& head) { files_.insert(key(head)); }
  bool has(const FileHead& head) const { return files_.contains(key(head)); }
  // The operand that the next names belong to: two operands may have files of the same name.
  void begin_source(std::size_t number) { source_ = number; }

  std::uint64_t bytes = 0;

 private:
  using Key = std::tuple<std::size_t, std::string, std::uint64_t, std::int64_t, long>;
  Key key(const FileHead& head) const { return {source_, head.path, head.size, head.mtime.tv_sec, head.mtime.tv_nsec}; }

  std::set<Key> files_;
  std::size_t source_ = 0;
};

class Progress : public Observer {
 public:
  // `host` is put before the complaints of the other end. `brought` must outlive it.
  Progress(std::string host, bool bar, bool verbose, Brought& brought);

  void begin(const FileHead& head, std::uint64_t resumed) override;
  void advance(std::uint64_t bytes) override;
  void stored(const FileHead& head, const std::string& sha256) override;
  void trouble(const Complaint& complaint, bool here) override;
  bool has(const FileHead& head) const override { return brought_.has(head); }

  // yes, or the code of the first trouble.
  int exit_code() const { return exit_code_; }
  // Ends a half-drawn line, before other output.
  void leave_line();

 private:
  void draw(bool last);

  std::string host_;
  bool bar_;
  bool verbose_;
  Brought& brought_;
  int exit_code_ = tool::yes;
  std::string name_;
  std::uint64_t size_ = 0;
  std::uint64_t done_ = 0;
  std::uint64_t resumed_ = 0;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point began_;
  std::chrono::steady_clock::time_point shown_;
};

}  // namespace asp_cp
