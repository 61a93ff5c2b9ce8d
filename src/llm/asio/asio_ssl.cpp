// The compiled half of Asio's TLS, apart so that programs without TLS need not link OpenSSL.
#include <boost/asio/ssl/impl/src.hpp>
