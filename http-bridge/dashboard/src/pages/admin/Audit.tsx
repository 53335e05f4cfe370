import { Button, JsonView, StateSign, Time, type Column } from '../../ui';
import { useAddress } from '../lists/address';
import { Detail, Fact, Facts, List, listCss as css, Section } from '../lists/List';
import { usePaged } from '../lists/paged';
import { RunLink } from '../lists/RunLink';
import type { AuditEntry } from './admin';

const keyOf = (one: AuditEntry): string => `${one.at} ${one.action} ${one.run_id ?? ''} ${one.reason ?? ''}`;
const refused = (action: string): boolean => /refus|denied|reject/.test(action);

export function Audit() {
    const list = usePaged<AuditEntry>('/audit', {}, 15_000);
    const [read, write] = useAddress();
    const chosen = read('entry');
    const shown = list.rows.find((one) => keyOf(one) === chosen);
    const columns: Column<AuditEntry>[] = [
        { id: 'at', title: 'When', width: '88px', cell: (one) => <Time at={one.at} /> },
        {
            id: 'action',
            title: 'What',
            width: 'minmax(120px, 1fr)',
            cell: (one) => (
                <span className="row">
                    {refused(one.action) && <StateSign state="warning" size={12} />}
                    <span className="truncate">{one.action.replaceAll('_', ' ')}</span>
                </span>
            ),
        },
        { id: 'actor', title: 'Who', width: 'minmax(100px, 1fr)', cell: (one) => <span title={one.actor}>{one.actor}</span> },
        { id: 'workflow', title: 'Workflow', width: 'minmax(90px, 1fr)', wide: true, cell: (one) => one.workflow ?? <span className="faint">–</span> },
        ...(shown
            ? []
            : ([
                  {
                      id: 'run',
                      title: 'Run',
                      width: '140px',
                      wide: true,
                      cell: (one) => (one.run_id ? <RunLink run={one.run_id} /> : <span className="faint">–</span>),
                  },
                  {
                      id: 'reason',
                      title: 'Reason',
                      width: 'minmax(110px, 2fr)',
                      wide: true,
                      cell: (one) => <span title={one.reason ?? ''}>{one.reason ?? <span className="faint">–</span>}</span>,
                  },
              ] satisfies Column<AuditEntry>[])),
    ];
    return (
        <List
            label="Audit"
            list={list}
            columns={columns}
            rowKey={keyOf}
            chosen={chosen || null}
            onOpen={(one) => write({ entry: chosen === keyOf(one) ? null : keyOf(one) })}
            empty={{ title: 'Nothing stands here yet', children: 'What administrators do, and who was refused, is kept here.' }}
            detail={
                shown && (
                    <Detail
                        label="Entry"
                        head={
                            <>
                                <h2>{shown.action.replaceAll('_', ' ')}</h2>
                                <span className="spacer" />
                                <Button kind="plain" small icon="close" aria-label="Close the entry" onClick={() => write({ entry: null })} />
                            </>
                        }
                    >
                        <Facts>
                            <Fact name="When">
                                <Time at={shown.at} absolute />
                            </Fact>
                            <Fact name="Who">{shown.actor}</Fact>
                            {shown.workflow && <Fact name="Workflow">{shown.workflow}</Fact>}
                            {shown.run_id && (
                                <Fact name="Run">
                                    <RunLink run={shown.run_id} />
                                </Fact>
                            )}
                            {shown.reason && <Fact name="Reason">{shown.reason}</Fact>}
                        </Facts>
                        <Section title="Details">
                            <div className={css.framed}>
                                <JsonView value={shown.details ?? null} />
                            </div>
                        </Section>
                    </Detail>
                )
            }
        />
    );
}
