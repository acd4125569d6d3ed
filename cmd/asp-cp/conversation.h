// conversation: the client's end of the control channel. The server's `failed` ends everything, whenever
// it comes.
#pragma once

#include <string>
#include <utility>

#include "control.h"
#include "protocol.h"
#include "remote.h"

namespace asp_cp {

class Conversation : public Control {
 public:
  Conversation(const Remote& remote, std::string host)
      : Control(remote.input(), remote.output()), host_(std::move(host)) {}

 protected:
  void look_at(const Record& message) override {
    if (word_of(message) != "failed") return;
    const auto complaint = Complaint::parse(message);
    throw tool::Failure(complaint.code, host_.empty() ? complaint.reason : host_ + ": " + complaint.reason);
  }

 private:
  std::string host_;
};

}  // namespace asp_cp
