#include "server/tls.hpp"

#include <system_error>

namespace orch::bridge {

namespace ssl = boost::asio::ssl;

ssl::context make_tls(const Options &options)
{
    ssl::context context(ssl::context::tls_server);
    context.set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 | ssl::context::no_sslv3 | ssl::context::no_tlsv1 |
                        ssl::context::no_tlsv1_1 | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    boost::system::error_code failed;
    context.use_certificate_chain_file(options.certificate, failed);
    if (failed)
        throw std::system_error(failed.value(), std::generic_category(),
                                "the certificate in \"" + options.certificate + "\" cannot be read: " + failed.message());
    context.use_private_key_file(options.key.empty() ? options.certificate : options.key, ssl::context::pem, failed);
    if (failed) throw std::system_error(failed.value(), std::generic_category(), "the key of the certificate cannot be read: " + failed.message());
    // Only HTTP/1.1 is spoken.
    SSL_CTX_set_alpn_select_cb(
        context.native_handle(),
        [](SSL *, const unsigned char **chosen, unsigned char *length, const unsigned char *offered, unsigned int size, void *) {
            static constexpr unsigned char ours[] = "\x08http/1.1";
            unsigned char *found = nullptr;
            if (SSL_select_next_proto(&found, length, ours, sizeof ours - 1, offered, size) != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
            *chosen = found;
            return SSL_TLSEXT_ERR_OK;
        },
        nullptr);
    return context;
}

}  // namespace orch::bridge
