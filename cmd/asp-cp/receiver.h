// receiver: receives what a Sender at the other end sends, and stores it in a Target.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "channels.h"
#include "target.h"

namespace asp_cp {

class Receiver {
 public:
  Receiver(Session& session, Observer& observer, const Target& target, bool recursive);

  // Accepts nothing but `name`, and names below it when recursive. For a client, which knows what it asked for
  // and trusts no server to name files.
  void expect(const std::string& name) { expected_ = name; }

  // Handles one message of the sender: file, directory or trouble. Failure{65} for anything else, and for a
  // path that was not asked for.
  void take(const Record& message);

 private:
  void take_directory(const DirectoryHead& head);
  void take_file(const FileHead& head);
  void check_expected(const std::string& path) const;
  // Reads the file's data to its end, or to where the sender stopped.
  void take_data(Incoming* incoming, const FileHead& head, std::uint64_t offset);
  // Acts on the sender's message after the data, `digest` or `stopped`; `incoming` is null when the file was
  // refused already.
  void settle(Incoming* incoming, const FileHead& head, const Record& last);
  void refuse(const tool::Failure& failure);

  Session& session_;
  Observer& observer_;
  const Target& target_;
  bool recursive_;
  std::string expected_;
  std::unique_ptr<char[]> chunk_;
};

}  // namespace asp_cp
