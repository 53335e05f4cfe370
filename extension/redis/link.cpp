#include "redis/link.hpp"

#include <hiredis/hiredis.h>

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace orch::redis {

namespace {

Reply copied_reply(const redisReply &from)
{
    Reply reply;
    switch (from.type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS: reply.kind = Reply::Kind::text; break;
    case REDIS_REPLY_ERROR: reply.kind = Reply::Kind::error; break;
    case REDIS_REPLY_INTEGER: reply.kind = Reply::Kind::number; break;
    case REDIS_REPLY_ARRAY: reply.kind = Reply::Kind::list; break;
    default: break;
    }
    if (from.str) reply.text.assign(from.str, from.len);
    reply.number = from.integer;
    for (size_t i = 0; reply.kind == Reply::Kind::list && i < from.elements; i++) reply.list.push_back(copied_reply(*from.element[i]));
    return reply;
}

std::string system_words(int error)
{
    char buffer[128];
    return ::strerror_r(error, buffer, sizeof(buffer));
}

}  // namespace

void Link::Closer::operator()(redisContext *context) const noexcept { redisFree(context); }

Link::Link(const core::RedisUrl &url)
{
    context_.reset(url.host.empty() ? redisConnectUnixNonBlock(url.path.c_str()) : redisConnectNonBlock(url.host.c_str(), url.port));
    if (context_ && !context_->err) {
        (void)::fcntl(context_->fd, F_SETFD, FD_CLOEXEC);
        // A Redis that vanished without a word while nothing is sent.
        if (!url.host.empty()) (void)redisEnableKeepAlive(context_.get());
    }
    if (!context_) break_off("out of memory");
    else if (context_->err) break_off(std::string("cannot connect: ") + context_->errstr);
    else greet(url);
}

Link::~Link() = default;

int Link::socket() const noexcept { return broken_.empty() ? context_->fd : -1; }

void Link::break_off(std::string why)
{
    if (broken_.empty()) broken_ = why.empty() ? "broken" : std::move(why);
    context_.reset();
    unsent_.clear();
}

void Link::greet(const core::RedisUrl &url)
{
    if (!url.user.empty()) command({"AUTH", url.user, url.password});
    else if (!url.password.empty()) command({"AUTH", url.password});
    if (url.database != 0) command({"SELECT", std::to_string(url.database)});
    command({"PING"});  // the first answer says that it is Redis that listens, and that it lets us in
    greetings_ = unanswered_;
}

void Link::command(const std::vector<std::string> &words)
{
    if (!broken_.empty()) return;
    unsent_ += '*' + std::to_string(words.size()) + "\r\n";
    for (const std::string &word : words) unsent_ += '$' + std::to_string(word.size()) + "\r\n" + word + "\r\n";
    unanswered_++;
}

void Link::pump()
{
    if (!broken_.empty()) return;
    while (!unsent_.empty()) {
        const ssize_t sent = ::send(context_->fd, unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && (errno == EAGAIN || errno == ENOTCONN)) break;  // while it connects as well
        if (sent < 0) return break_off(system_words(errno));
        unsent_.erase(0, static_cast<size_t>(sent));
    }
    char buffer[16384];
    for (;;) {
        const ssize_t got = ::recv(context_->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && (errno == EAGAIN || errno == ENOTCONN)) break;
        if (got < 0) return break_off(system_words(errno));
        // What came before the end may say why.
        if (got == 0) {
            take_greetings();
            return break_off("Redis closed the connection");
        }
        if (redisReaderFeed(context_->reader, buffer, static_cast<size_t>(got)) != REDIS_OK) return break_off(context_->reader->errstr);
    }
    take_greetings();
}

std::optional<Reply> Link::next_reply()
{
    if (!broken_.empty()) return std::nullopt;
    void *got = nullptr;
    if (redisReaderGetReply(context_->reader, &got) != REDIS_OK) {
        break_off(std::string("not the protocol of Redis: ") + context_->reader->errstr);
        return std::nullopt;
    }
    if (!got) return std::nullopt;
    const std::unique_ptr<void, void (*)(void *)> kept(got, freeReplyObject);
    unanswered_--;
    return copied_reply(*static_cast<redisReply *>(got));
}

void Link::take_greetings()
{
    while (greetings_ > 0) {
        const auto answer = next_reply();
        if (!answer) return;
        greetings_--;
        if (answer->kind == Reply::Kind::error) return break_off(answer->text);
    }
}

std::optional<Reply> Link::reply() { return greetings_ > 0 ? std::nullopt : next_reply(); }

}  // namespace orch::redis
