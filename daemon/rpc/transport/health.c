/* grpc.health.v1: whether a service is serving. Check answers once; Watch answers at each change,
 * and tells a slow reader the latest status only, since the states between are of no use to
 * anybody. */
#include <stdlib.h>
#include <string.h>
#include "grpc/health/v1/health.pb-c.h"
#include "rpc/transport/internal.h"

typedef Grpc__Health__V1__HealthCheckRequest Request;
typedef Grpc__Health__V1__HealthCheckResponse Response;
typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus Serving;
#define SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

struct service {
    struct list link;
    bool serving;
    char name[];
};

struct watcher {
    struct list link;
    struct grpc_call *call;
    bool told; /* anything */
    Serving last;
    char service[];
};

struct health {
    struct list services, watchers;
};

static Serving status_of(const struct health *health, const char *name)
{
    list_for_each(at, &health->services)
    {
        const struct service *service = container_of(at, struct service, link);
        if (strcmp(service->name, name) == 0) {
            return service->serving ? SERVING : NOT_SERVING;
        }
    }
    return SERVICE_UNKNOWN;
}

static void check(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    const Request *request = (const Request *)message;
    Response response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    (void)wire_bytes;
    response.status = status_of(grpc_call_arg(call), request->service);
    if (response.status == SERVICE_UNKNOWN) {
        grpc_call_fail(call, &(struct grpc_error){GRPC_NOT_FOUND, NULL, "SERVICE_UNKNOWN",
                                                  "this server has no service of that name"});
        return;
    }
    grpc_call_reply(call, &response.base);
}

/* Tells a watcher what it does not know yet, if it reads. */
static void tell(struct grpc_call *call)
{
    struct watcher *watcher = grpc_call_data(call);
    if (!watcher) {
        return;
    }
    Response response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    response.status = status_of(grpc_call_arg(call), watcher->service);
    if (watcher->told && watcher->last == response.status) {
        return;
    }
    if (grpc_call_room(call) < protobuf_c_message_get_packed_size(&response.base)) {
        return; /* on_writable comes back here */
    }
    if (grpc_call_send(call, &response.base) == 0) {
        watcher->told = true;
        watcher->last = response.status;
    }
}

static void watch(struct grpc_call *call, const ProtobufCMessage *message, size_t wire_bytes)
{
    struct health *health = grpc_call_arg(call);
    const Request *request = (const Request *)message;
    size_t length = strlen(request->service) + 1;
    struct watcher *watcher = calloc(1, sizeof(*watcher) + length);
    (void)wire_bytes;
    if (!watcher) {
        grpc_call_fail(call, &(struct grpc_error){GRPC_RESOURCE_EXHAUSTED, NULL, "NO_MEMORY",
                                                  "there is no memory for one more watcher"});
        return;
    }
    memcpy(watcher->service, request->service, length);
    watcher->call = call;
    list_append(&health->watchers, &watcher->link);
    grpc_call_set_data(call, watcher);
    tell(call);
}

static void watch_end(struct grpc_call *call, bool cancelled)
{
    struct watcher *watcher = grpc_call_data(call);
    (void)cancelled;
    if (watcher) {
        list_remove(&watcher->link);
        free(watcher);
    }
}

static const struct grpc_method methods[] = {
    {.path = "/grpc.health.v1.Health/Check",
     .input = &grpc__health__v1__health_check_request__descriptor,
     .output = &grpc__health__v1__health_check_response__descriptor,
     .on_message = check},
    {.path = "/grpc.health.v1.Health/Watch",
     .input = &grpc__health__v1__health_check_request__descriptor,
     .output = &grpc__health__v1__health_check_response__descriptor,
     .server_streaming = true,
     .on_message = watch,
     .on_writable = tell,
     .on_end = watch_end},
};

struct health *health_new(struct grpc_server *server)
{
    struct health *health = calloc(1, sizeof(*health));
    if (!health) {
        return NULL;
    }
    list_init(&health->services);
    list_init(&health->watchers);
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (!server_add(server, &methods[i], health, true)) {
            health_free(health);
            return NULL;
        }
    }
    return health;
}

void health_free(struct health *health)
{
    if (!health) {
        return;
    }
    list_for_each_safe(at, next, &health->services)
    {
        free(container_of(at, struct service, link));
    }
    free(health);
}

/* The record of a service, made when there is none; NULL without memory. */
static struct service *service_of(struct health *health, const char *name)
{
    list_for_each(at, &health->services)
    {
        struct service *service = container_of(at, struct service, link);
        if (strcmp(service->name, name) == 0) {
            return service;
        }
    }
    size_t length = strlen(name) + 1;
    struct service *service = calloc(1, sizeof(*service) + length);
    if (service) {
        memcpy(service->name, name, length);
        list_append(&health->services, &service->link);
    }
    return service;
}

void health_set(struct health *health, const char *name, bool serving)
{
    struct service *service = service_of(health, name);
    if (!service) {
        return; /* remains unknown, which is no lie */
    }
    service->serving = serving;
    list_for_each(at, &health->watchers)
    {
        tell(container_of(at, struct watcher, link)->call);
    }
}
