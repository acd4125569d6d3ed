// sender: sends files and directories to a Receiver at the other end.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "channels.h"
#include "digest.h"
#include "source.h"

namespace asp_cp {

class Sender {
 public:
  // `root`: what stands for /, also for symbolic links; nullptr: nothing does.
  Sender(Session& session, Observer& observer, bool recursive, const Rooted* root = nullptr);

  // Sends the file or directory `path`, under its own last component. A failure of one file goes to the
  // observer and to the other end; a Failure thrown from here ends the session.
  void send(const std::string& path);

 private:
  void send_source(const Source& source, const std::string& name);
  void send_directory(const Source& source, const std::string& name);
  void send_file(const Source& source, const std::string& name);
  bool confirmed(const Record& answer);
  std::uint64_t resume_point(const Source& source, const Have& have, Sha256& digest);
  bool send_data(const Source& source, std::uint64_t offset, Sha256& digest);
  void send_chunk(const char* bytes, std::size_t count);
  std::optional<Record> drain(std::uint64_t position);
  void show_progress(std::uint64_t position);
  void trouble(const tool::Failure& failure);

  Session& session_;
  Observer& observer_;
  bool recursive_;
  const Rooted* root_;
  std::unique_ptr<char[]> chunk_;
  std::uint64_t shown_ = 0;
};

}  // namespace asp_cp
